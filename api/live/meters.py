"""What live streams tell Prometheus."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.live.wire import End, Kind


class LiveMetrics(Collector):
    """Counts in plain dicts: a message to thousands of clients is one addition."""

    def __init__(self, open_now: Callable[[], Mapping[Kind, int]]) -> None:
        self._open_now = open_now
        self._messages: Counter[Kind] = Counter()
        self._ended: Counter[tuple[Kind, End]] = Counter()

    def count_messages(self, kind: Kind, messages: int) -> None:
        self._messages[kind] += messages

    def count_end(self, kind: Kind, end: End) -> None:
        self._ended[kind, end] += 1

    def collect(self) -> Iterable[Metric]:
        clients = GaugeMetricFamily("freshrate_live_clients", "Open live streams.", labels=["kind"])
        messages = CounterMetricFamily(
            "freshrate_live_messages", "Rates written to live streams, once for each client.", labels=["kind"]
        )
        ended = CounterMetricFamily(
            "freshrate_live_ended", "Live streams that ended, by why.", labels=["kind", "reason"]
        )
        open_now = self._open_now()
        for kind in Kind:
            clients.add_metric([kind.value], open_now.get(kind, 0))
            messages.add_metric([kind.value], self._messages[kind])
            for end in End:
                ended.add_metric([kind.value, end.value], self._ended[kind, end])
        return (clients, messages, ended)

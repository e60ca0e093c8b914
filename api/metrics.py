"""Metrics for Prometheus.

Requests are counted in plain dicts, some hundred nanoseconds each, and turned into metric families only when somebody
scrapes. Labels are routes, never paths, so their number is bounded.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.domain.times import Clock

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds."""


class RequestMetrics(Collector):
    """Requests by route and status."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, int], list[float]] = {}

    def count(self, route: str, status: int, seconds: float) -> None:
        series = self._series.get((route, status))
        if series is None:
            series = self._series[route, status] = [0.0] * (len(BUCKETS) + 2)
        series[bisect_left(BUCKETS, seconds)] += 1
        series[-1] += seconds

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(
            "freshrate_http_request_seconds", "Requests by route and status.", labels=["route", "status"]
        )
        for (route, status), series in sorted(self._series.items()):
            cumulated, buckets = 0.0, []
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), series, strict=False):
                cumulated += count
                buckets.append((bound, cumulated))
            family.add_metric([route, str(status)], buckets, sum_value=series[-1])
        yield family


class RateAge(Collector):
    """The age of the newest rate of a cryptocurrency: what an operator wants to be woken for."""

    def __init__(self, newest_fetch: Callable[[], datetime | None], clock: Clock) -> None:
        self._newest_fetch = newest_fetch
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "freshrate_newest_rate_age_seconds",
            "Seconds since the newest rate of a cryptocurrency was fetched.",
        )
        newest = self._newest_fetch()
        if newest is not None:
            family.add_metric([], max(0.0, (self._clock() - newest).total_seconds()))
        yield family


class RankingAge(Collector):
    """The age of the newest ranking."""

    def __init__(self, observed_at: Callable[[], datetime | None], clock: Clock) -> None:
        self._observed_at = observed_at
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "freshrate_ranking_age_seconds", "Seconds since the newest ranking was observed."
        )
        observed_at = self._observed_at()
        if observed_at is not None:
            family.add_metric([], max(0.0, (self._clock() - observed_at).total_seconds()))
        yield family


class TopMetrics:
    """What became of renewals of the top list."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._renewals = Counter(
            "freshrate_top_renewals",
            "Renewals of the top list by what became of them.",
            ["outcome"],
            registry=registry,
        )

    def count(self, outcome: str) -> None:
        self._renewals.labels(outcome).inc()


class Stream(Protocol):
    """What `api.river` tells of the stream of facts."""

    @property
    def is_flowing(self) -> bool: ...

    @property
    def lag(self) -> float | None: ...


class StreamGauges(Collector):
    """Whether facts are heard, and how late."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "freshrate_stream_up",
            "1 while the stream of facts is read, else 0.",
            value=self._stream.is_flowing,
        )
        lag = GaugeMetricFamily(
            "freshrate_stream_lag_seconds",
            "How long after its announcement the fact that came last was handled.",
        )
        if self._stream.lag is not None:
            lag.add_metric([], self._stream.lag)
        yield lag


class RefreshMetrics:
    """What became of refreshes, and how long they took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "freshrate_refresh_outcomes", "Refreshes by what became of them.", ["outcome"], registry=registry
        )
        self._seconds = Histogram(
            "freshrate_refresh_seconds",
            "Seconds that a client waited for a fresh rate.",
            buckets=BUCKETS,
            registry=registry,
        )

    def count(self, outcome: str, seconds: float) -> None:
        self._outcomes.labels(outcome).inc()
        self._seconds.observe(seconds)

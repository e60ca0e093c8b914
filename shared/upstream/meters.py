"""What Prometheus learns of the sources."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Meters:
    """The meters of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "freshrate_upstream_calls", "Calls to sources.", ("source", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "freshrate_upstream_seconds",
            "Time that sources took to answer.",
            ("source",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._credits = Counter(
            "freshrate_upstream_credits", "Credits that sources charged.", ("source",), registry=registry
        )

    def count(self, source: str, outcome: str, *, seconds: float, credits: int) -> None:
        self._calls.labels(source, outcome).inc()
        self._seconds.labels(source).observe(seconds)
        self._credits.labels(source).inc(credits)

"""What became of uploads, for Prometheus."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter


class Outcome(StrEnum):
    LOADED = "loaded"
    SAME = "same"
    """The same file was current already."""
    REFUSED = "refused"
    """Something is wrong with it."""
    FAILED = "failed"
    """The client left or was too slow, there was no room, or the database was away."""


class DealsMetrics:
    """Counts uploads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._uploads = Counter(
            "freshrate_deals_uploads",
            "Uploads of deals by what became of them.",
            ["outcome"],
            registry=registry,
        )
        for outcome in Outcome:
            self._uploads.labels(outcome)

    def count(self, outcome: Outcome) -> None:
        self._uploads.labels(outcome).inc()

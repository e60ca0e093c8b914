"""What Prometheus learns of visits to the sources, and of the phases of a refresh."""

from collections.abc import Callable
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Histogram

from shared.domain.visit import VisitOutcome, VisitReason

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Phase(StrEnum):
    """A refresh is over after these, one after the other."""

    QUEUE = "queue"
    """From the command's creation, by its sender's clock, until a worker begins with it."""
    VISIT = "visit"
    """Asking a source, with its budget before and its failed attempts."""
    STORE = "store"
    """Until the commit."""
    ANNOUNCE = "announce"
    """Until the queue has the facts and has ended the commands."""


class VisitMeters:
    """The meters of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._visits = Counter(
            "freshrate_visits",
            "Visits to sources by what became of them.",
            ("source", "reason", "outcome"),
            registry=registry,
        )
        self._stored = Counter(
            "freshrate_rates_stored",
            "New rates that were stored; confirmed ones do not count.",
            ("source",),
            registry=registry,
        )
        self._phases = Histogram(
            "freshrate_refresh_phase_seconds",
            "What the time of a refresh goes into: per command in the queue, then per batch.",
            ("phase",),
            buckets=_BUCKETS,
            registry=registry,
        )

    def count(self, source: str, reason: VisitReason, outcome: VisitOutcome, *, stored: int = 0) -> None:
        self._visits.labels(source, reason.value, outcome.value).inc()
        self._stored.labels(source).inc(stored)

    def phase(self, phase: Phase) -> Callable[[float], None]:
        """Observes the seconds that this phase took."""
        return self._phases.labels(phase.value).observe

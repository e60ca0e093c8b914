"""Visits to sources: every poll, refresh, direct visit and catalog renewal is one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class VisitReason(StrEnum):
    POLL = "poll"
    REFRESH = "refresh"
    DIRECT = "direct"


class VisitOutcome(StrEnum):
    DONE = "done"
    PARTIAL = "partial"
    """The source answered, but not with all that was asked."""
    FAILED = "failed"
    NOT_TRIED = "not_tried"
    """Budget spent, breaker open or source blocked: no call was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit, as the journal keeps it."""

    source: str
    reason: VisitReason
    what: str
    """What was asked, for people: "quotes of 3", "listing of 200", "catalog"."""
    started_at: datetime
    duration: timedelta
    outcome: VisitOutcome
    credits: int
    rates_stored: int
    error: str | None = None


class FailureKind(StrEnum):
    """Why a refresh has no rate, in the ways that a client must tell apart."""

    VISITED = "visited"
    """A source was visited and failed: 502."""
    NOT_TRIED = "not_tried"
    """Nothing was tried: 503."""
    DATABASE_AWAY = "database_away"
    """Nothing could be tried, or stored: 503."""
    DEADLINE = "deadline"
    """The time was up: 504."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The end of a refresh that brought nothing for what it was asked for."""

    currency_id: int | None
    """None where the ranking, or a renewal of the catalog, was asked for."""
    kind: FailureKind
    detail: str
    retry_after: float | None = None
    """Seconds."""
    is_answered: bool = False
    """A source answered, and has no usable price: asking again at once would bring the same."""

"""When a job is due: an interval counted from its last visit, or a cron expression in UTC."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_DURATION = re.compile(r"(\d{1,6})(s|m|h|d)", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Every:
    """An interval, counted from the last visit that covered all of the job."""

    interval: timedelta


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of 5 fields, or 6 with seconds first, in UTC."""

    expression: str


Schedule = Every | Cron


def duration_from(text: str) -> timedelta:
    """20s, 5m, 1h, 1d. Raises ValueError for anything else, and for zero."""
    match = _DURATION.fullmatch(text)
    if not match or int(match[1]) == 0:
        raise ValueError(f"not a duration like 20s, 5m, 1h: {text!r}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """What all workers know of a job together."""

    job: str
    done_at: datetime | None
    """When the last visit that covered all of it was made."""
    claimed_for: datetime | None
    """The due time of the last tick that some worker claimed."""
    claimed_until: datetime | None
    """While this lies in the future, a worker is at it."""

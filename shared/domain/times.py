"""Aware UTC times, and the three forms in which they travel: ISO 8601 text, microseconds, HTTP dates."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC time. Passed in everywhere, so tests own the time."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def utc_now() -> datetime:
    return datetime.now(UTC)


def iso(time: datetime) -> str:
    """ISO 8601, UTC, milliseconds (cut, not rounded) and Z: 2026-11-20T12:00:00.000Z."""
    utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:-6] + "Z"


def time_from_iso(text: str) -> datetime:
    """An aware UTC time from ISO 8601; a time without zone is UTC. Else ValueError."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"out of range: {text[:40]!r}") from error


def micros(time: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (time - EPOCH) // _MICROSECOND


def time_from_micros(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)

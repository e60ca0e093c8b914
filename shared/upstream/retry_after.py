"""How long a source that says "too many" is left alone."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from shared.domain.allowance import next_day, next_month
from shared.errors import LimitPeriod, UpstreamLimited

DEFAULT_SECONDS = 60.0
SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 3600.0
"""A longer wait is believed only of a limit that ends with the day or the month."""
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
_MAX_HEADER = 64


def blocked_until(error: UpstreamLimited, retry_after: str | None, *, now: datetime) -> datetime:
    """`retry_after`: the header as it came: seconds or a date. One that cannot be read counts as absent."""
    if error.period is LimitPeriod.DAY:
        return next_day(now)
    if error.period is LimitPeriod.MONTH:
        return next_month(now)
    seconds = _stated(retry_after, now)
    if seconds is None:
        seconds = DEFAULT_SECONDS if error.retry_after is None else error.retry_after
    return now + timedelta(seconds=min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS))


def _stated(header: str | None, now: datetime) -> float | None:
    text = (header or "").strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text[:_MAX_HEADER])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()

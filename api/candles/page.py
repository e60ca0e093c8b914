"""Pages of candles, newest first. Each place has its candle, also where no rate was observed, so time alone says what stands on
a page.

Candles go by their numbers (`Interval.number_of`): whatever times a request names, no reckoning leaves the calendar.
"""

from dataclasses import dataclass
from datetime import datetime

from api.candles.query import CandlesQuery
from shared.domain.candle import Candle, Interval
from shared.domain.page import Cursor, Page
from shared.domain.times import micros
from shared.ports import Storage


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers of candles: from `start`, before `end`."""

    start: int
    end: int


async def candles_page(
    storage: Storage, currency_id: int, query: CandlesQuery, now: datetime
) -> Page[Candle]:
    """All candles that there are go from that of the first rate to that of now."""
    first = await storage.first_observed_at(currency_id, source=query.source)
    if first is None:
        return Page((), has_next=False, has_previous=False)
    interval = query.interval
    everything = wanted(query, first=first, now=now)
    span = placed(everything, interval, query.cursor, query.limit)
    if span.start >= span.end:
        return Page((), has_next=False, has_previous=False)
    known = await storage.candles(
        currency_id,
        interval=interval,
        since=interval.time_of(span.start),
        until=interval.time_of(span.end),
        source=query.source,
    )
    return Page(
        filled(known, interval, span),
        has_next=span.start > everything.start,
        has_previous=span.end < everything.end,
    )


def wanted(query: CandlesQuery, *, first: datetime, now: datetime) -> Span:
    """What the request asks for of all that there are."""
    interval = query.interval
    start, end = interval.number_of(first), interval.number_of(now) + 1
    if query.since is not None:
        start = max(start, interval.number_from(query.since))
    if query.until is not None:
        end = min(end, interval.number_from(query.until))
    return Span(start, end)


def placed(everything: Span, interval: Interval, cursor: Cursor | None, limit: int) -> Span:
    """The page: the newest, or those next to the cursor, whose key is the time of a candle in microseconds. Somebody may have
    made it up."""
    start, end = everything.start, everything.end
    if cursor is None:
        return Span(max(start, end - limit), end)
    length = micros(interval.time_of(1))
    if cursor.backwards:
        start = max(start, cursor.key[0] // length + 1)
        return Span(start, min(end, start + limit))
    end = min(end, -(-cursor.key[0] // length))
    return Span(max(start, end - limit), end)


def filled(known: list[Candle], interval: Interval, span: Span) -> tuple[Candle, ...]:
    """Newest first, with one that says that there is nothing where there is nothing."""
    candles = {candle.time: candle for candle in known}
    times = map(interval.time_of, range(span.end - 1, span.start - 1, -1))
    return tuple(candles.get(time) or Candle(time) for time in times)


def key_of(candle: Candle) -> tuple[int, int]:
    """For cursors."""
    return (micros(candle.time), 0)

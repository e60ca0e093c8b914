"""Candles: what prices did in intervals of one length, one after another without a gap, counted from 1970 in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from shared.domain.times import EPOCH


class Interval(StrEnum):
    """The length of a candle."""

    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    QUARTER = "15m"
    HOUR = "1h"
    FOUR_HOURS = "4h"
    DAY = "1d"

    @property
    def length(self) -> timedelta:
        return _LENGTHS[self]

    def number_of(self, moment: datetime) -> int:
        """Of the candle in which the moment lies; that of 1970 is 0."""
        return (moment - EPOCH) // self.length

    def number_from(self, moment: datetime) -> int:
        """Of the first candle that begins at the moment or after it."""
        return -((EPOCH - moment) // self.length)

    def time_of(self, number: int) -> datetime:
        """When the candle of this number begins. Raises OverflowError past the year 9999."""
        return EPOCH + number * self.length


_LENGTHS = {
    Interval.MINUTE: timedelta(minutes=1),
    Interval.FIVE_MINUTES: timedelta(minutes=5),
    Interval.QUARTER: timedelta(minutes=15),
    Interval.HOUR: timedelta(hours=1),
    Interval.FOUR_HOURS: timedelta(hours=4),
    Interval.DAY: timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Candle:
    """The prices in USD of the rates that were observed in one interval. Where there are none, nothing is made up: all prices
    are None."""

    time: datetime
    """When it begins; it ends where the next one begins."""
    open: Decimal | None = None
    """The first price by (observed_at, id)."""
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None
    """The last price by (observed_at, id)."""
    count: int = 0
    """Of the rates."""
    sources: frozenset[str] = frozenset()
    """Of these rates."""


@dataclass(frozen=True, slots=True)
class Closes:
    """How the candles of a currency closed."""

    prices: Mapping[datetime, Decimal]
    """By the time of the candle, where that has rates."""
    sources: frozenset[str]
    """All that have stated a price since the first candle began, up to now."""

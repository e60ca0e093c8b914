"""Intervals: every moment lies in exactly one candle, counted from 1970 in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.candle import Interval

intervals = st.sampled_from(Interval)
moments = st.datetimes(
    min_value=datetime(1900, 1, 2),  # noqa: DTZ001 - hypothesis adds the zones
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)


@given(intervals, moments)
def test_every_moment_lies_in_its_candle(interval: Interval, moment: datetime) -> None:
    time = interval.time_of(interval.number_of(moment))
    assert time <= moment < time + interval.length
    assert time.tzinfo is UTC


@given(intervals, moments)
def test_the_first_candle_from_a_moment_on_begins_with_it_or_after_it(
    interval: Interval, moment: datetime
) -> None:
    time = interval.time_of(interval.number_from(moment))
    assert time - interval.length < moment <= time


@pytest.mark.parametrize(
    ("interval", "begins"),
    [
        ("1m", "2026-11-20T13:47:00"),
        ("5m", "2026-11-20T13:45:00"),
        ("15m", "2026-11-20T13:45:00"),
        ("1h", "2026-11-20T13:00:00"),
        ("4h", "2026-11-20T12:00:00"),
        ("1d", "2026-11-20T00:00:00"),
    ],
)
def test_candles_begin_with_the_clock_of_utc(interval: str, begins: str) -> None:
    chosen, moment = Interval(interval), datetime(2026, 11, 20, 13, 47, 59, 999_999, tzinfo=UTC)
    assert chosen.time_of(chosen.number_of(moment)) == datetime.fromisoformat(begins).replace(tzinfo=UTC)

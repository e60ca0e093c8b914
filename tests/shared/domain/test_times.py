"""Aware UTC times."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.times import iso, micros, time_from_iso, time_from_micros, utc_now

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T12:00:00.000Z",
        "2026-11-20T12:00:00",
        "2026-11-20T15:00:00+03:00",
        "2026-11-20 12:00",
        "20261120T12",
    ],
)
def test_every_form_of_iso_8601_is_read_and_a_time_without_zone_is_utc(text: str) -> None:
    assert time_from_iso(text) == NOON
    assert time_from_iso(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "noon", "2024-02-30", "0001-01-01T00:00+14:00", "9999-12-31T23:00-14:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        time_from_iso(text)


def test_milliseconds_are_cut_and_the_zone_is_z() -> None:
    assert iso(NOON + timedelta(microseconds=999_999)) == "2026-11-20T12:00:00.999Z"


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis takes the zone apart
def test_microseconds_are_exact_both_ways(time: datetime) -> None:
    assert time_from_micros(micros(time)) == time


def test_the_present_is_aware() -> None:
    assert utc_now().tzinfo is UTC

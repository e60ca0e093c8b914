"""How long a source that says "too many" is left alone."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.allowance import next_day, next_month
from shared.errors import LimitPeriod, UpstreamLimited
from shared.upstream.retry_after import blocked_until
from tests.shared.upstream.doubles import NOW


def seconds(header: str | None, retry_after: float | None = None) -> float:
    return (blocked_until(UpstreamLimited(retry_after=retry_after), header, now=NOW) - NOW).total_seconds()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("30", 30),
        (" 30 ", 30),
        ("2.5", 2.5),
        ("0", 1),
        ("0.01", 1),
        ("1000000000", 3600),
        ("Fri, 20 Nov 2026 12:01:30 GMT", 90),
        ("Fri, 20 Nov 2026 12:01:30 -0000", 90),
        ("Fri, 20 Nov 2026 15:01:30 +0300", 90),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 1),
        ("Fri, 20 Nov 2099 11:00:00 GMT", 3600),
        (None, 60),
        ("", 60),
        ("soon", 60),
        ("-5", 60),
        ("nan", 60),
        ("inf", 60),
        ("1e9", 60),
        ("\uff13\uff10", 60),
        ("9" * 400, 60),
        ("Fri, 99 Nov 2026 99:00:00 GMT", 60),
    ],
)
def test_every_form_of_retry_after_comes_to_a_wait_within_bounds(header: str | None, expected: float) -> None:
    assert seconds(header) == pytest.approx(expected)


def test_what_the_source_says_in_its_own_way_counts_where_there_is_no_header() -> None:
    assert seconds(None, 120) == 120
    assert seconds("5", 120) == 5


@pytest.mark.parametrize(
    ("period", "until"), [(LimitPeriod.DAY, next_day(NOW)), (LimitPeriod.MONTH, next_month(NOW))]
)
def test_a_limit_of_the_day_or_month_ends_with_it_whatever_the_header_says(
    period: LimitPeriod, until: datetime
) -> None:
    assert blocked_until(UpstreamLimited(period=period), "1", now=NOW) == until


@given(st.text(max_size=80))
def test_whatever_the_header_is_the_wait_stays_within_bounds(header: str) -> None:
    wait = blocked_until(UpstreamLimited(), header, now=NOW) - NOW
    assert timedelta(seconds=1) <= wait <= timedelta(hours=1)

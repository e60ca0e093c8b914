"""What a source may still be asked."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.allowance import FAILURES_TO_OPEN, Allowance, next_day, next_month
from shared.errors import BreakerOpen, BudgetSpent, NotTried, SourceBlocked

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def reserve(
    allowance: Allowance, now: datetime = NOW, credits: int = 1, *, calls: int = 0, month: int = 0
) -> Allowance:
    return allowance.reserve(now=now, credits=credits, calls_per_minute=calls, credits_per_month=month)


def failed(allowance: Allowance, times: int, now: datetime = NOW) -> Allowance:
    for _ in range(times):
        allowance = allowance.failed(now=now)
    return allowance


def test_without_budgets_and_failures_a_reservation_changes_nothing() -> None:
    assert reserve(Allowance(), credits=10**9) == Allowance()


def test_the_calls_of_a_minute_are_counted_and_the_next_one_is_told_when() -> None:
    allowance = reserve(reserve(Allowance(), calls=2), after(10), calls=2)
    with pytest.raises(BudgetSpent, match="2 calls per minute") as caught:
        reserve(allowance, after(20), calls=2)
    assert caught.value.retry_after == pytest.approx(41)
    assert reserve(allowance, after(61), calls=2).calls == (after(10), after(61))


def test_a_budget_that_was_lowered_counts_the_last_calls() -> None:
    allowance = Allowance(calls=(NOW, after(1), after(2)))
    with pytest.raises(BudgetSpent) as caught:
        reserve(allowance, after(3), calls=1)
    assert caught.value.retry_after == pytest.approx(60)


def test_a_clock_that_was_days_ahead_locks_nobody_out() -> None:
    allowance = Allowance(calls=(NOW + timedelta(days=2),))
    assert reserve(allowance, calls=1).calls == (NOW,)


def test_a_clock_that_is_a_little_ahead_counts() -> None:
    with pytest.raises(BudgetSpent):
        reserve(Allowance(calls=(after(5),)), calls=1)


def test_the_credits_of_a_month_are_counted_and_start_anew_with_the_next() -> None:
    allowance = reserve(Allowance(), credits=7, month=10)
    assert allowance.spent_in(NOW) == 7
    with pytest.raises(BudgetSpent, match="10 credits per month") as caught:
        reserve(allowance, credits=4, month=10)
    assert caught.value.retry_after == (next_month(NOW) - NOW).total_seconds()
    december = reserve(allowance, next_month(NOW), credits=4, month=10)
    assert (december.month, december.credits_spent) == ("2026-12", 4)


def require(
    allowance: Allowance, now: datetime = NOW, *, calls: int, per_minute: int = 0, month: int = 0
) -> None:
    """Each of one credit."""
    allowance.require(
        now=now, calls=calls, credits=calls, calls_per_minute=per_minute, credits_per_month=month
    )


def test_many_calls_are_required_at_once_and_told_when_all_may_be_made() -> None:
    allowance = reserve(reserve(Allowance(), calls=4), after(10), calls=4)
    require(allowance, after(20), calls=2, per_minute=4)
    for calls, wait in ((3, 41), (4, 51)):
        with pytest.raises(BudgetSpent, match=f"the {calls} calls") as caught:
            require(allowance, after(20), calls=calls, per_minute=4)
        assert caught.value.retry_after == pytest.approx(wait)
        require(allowance, after(20 + wait), calls=calls, per_minute=4)


def test_more_calls_than_a_minute_ever_has_are_told_as_that() -> None:
    with pytest.raises(BudgetSpent, match="4 calls per minute is less than the 5 calls") as caught:
        require(Allowance(), calls=5, per_minute=4)
    assert caught.value.retry_after == 61


def test_what_is_required_of_the_month_counts_together() -> None:
    allowance = reserve(Allowance(), credits=7, month=10)
    require(allowance, calls=3, month=10)
    with pytest.raises(BudgetSpent, match="10 credits per month"):
        require(allowance, calls=4, month=10)


def test_nothing_is_required_of_a_source_that_is_closed() -> None:
    with pytest.raises(SourceBlocked):
        require(Allowance().blocked(until=after(1), because="told to stop"), calls=1)
    with pytest.raises(BreakerOpen):
        require(failed(Allowance(), 5), calls=1)
    require(failed(Allowance(), 5), after(5), calls=1)


@given(
    st.lists(
        st.tuples(st.floats(min_value=0, max_value=90), st.integers(min_value=1, max_value=5)), max_size=60
    ),
    st.integers(min_value=1, max_value=6),
    st.integers(min_value=1, max_value=60),
)
def test_no_sliding_minute_and_no_month_ever_holds_more_than_its_budget(
    steps: list[tuple[float, int]], per_minute: int, per_month: int
) -> None:
    allowance, now, made = Allowance(), datetime(2026, 11, 30, 23, 30, tzinfo=UTC), []
    for seconds, credits in steps:
        now += timedelta(seconds=seconds)
        try:
            allowance = reserve(allowance, now, credits, calls=per_minute, month=per_month)
        except BudgetSpent:
            continue
        made.append((now, credits))
    for start, _ in made:
        assert sum(1 for time, _ in made if start <= time <= start + timedelta(seconds=60)) <= per_minute
    for month in (11, 12):
        assert sum(credits for time, credits in made if time.month == month) <= per_month


@given(
    st.lists(st.floats(min_value=0, max_value=30), min_size=1, max_size=30),
    st.integers(min_value=1, max_value=4),
)
def test_whoever_waits_as_long_as_told_gets_through(steps: list[float], per_minute: int) -> None:
    allowance, now = Allowance(), NOW
    for seconds in steps:
        now += timedelta(seconds=seconds)
        try:
            allowance = reserve(allowance, now, calls=per_minute)
        except BudgetSpent as error:
            now += timedelta(seconds=error.retry_after + 0.000001)
            allowance = reserve(allowance, now, calls=per_minute)
    assert 1 <= len(allowance.calls) <= per_minute


def test_credits_are_corrected_to_what_the_source_says() -> None:
    allowance = reserve(Allowance(), credits=5, month=100)
    assert allowance.succeeded(reserved=5, spent=7, reserved_at=NOW).credits_spent == 7
    assert allowance.succeeded(reserved=5, spent=5, reserved_at=NOW) == allowance
    assert allowance.refunded(credits=5, reserved_at=NOW).credits_spent == 0
    assert allowance.refunded(credits=9, reserved_at=NOW).credits_spent == 0


def test_a_call_of_last_month_corrects_nothing_in_this_one() -> None:
    december = reserve(Allowance(), next_month(NOW), credits=4, month=10)
    assert december.refunded(credits=3, reserved_at=NOW) == december
    assert december.succeeded(reserved=1, spent=9, reserved_at=NOW) == december


def test_without_a_budget_there_is_nothing_to_correct() -> None:
    assert Allowance().succeeded(reserved=1, spent=5, reserved_at=NOW) == Allowance()


def test_the_breaker_opens_with_the_fifth_failure_in_a_row() -> None:
    assert reserve(failed(Allowance(), 4)).failures == 4
    with pytest.raises(BreakerOpen) as caught:
        reserve(failed(Allowance(), 5))
    assert caught.value.retry_after == pytest.approx(5)


def test_a_success_between_failures_starts_the_count_anew() -> None:
    allowance = failed(Allowance(), 4).succeeded(reserved=1, spent=1, reserved_at=NOW)
    assert allowance == Allowance()


def test_after_the_pause_one_probe_goes_and_nobody_with_it() -> None:
    probing = reserve(failed(Allowance(), 5), after(5))
    with pytest.raises(BreakerOpen):
        reserve(probing, after(5))
    assert probing.succeeded(reserved=1, spent=1, reserved_at=after(5)) == Allowance()


def test_a_probe_that_never_ends_is_followed_by_another() -> None:
    probing = reserve(failed(Allowance(), 5), after(5))
    with pytest.raises(BreakerOpen):
        reserve(probing, after(14))
    assert reserve(probing, after(15)).open_until == after(15 + 20)


def test_the_pause_doubles_with_every_probe_that_fails_up_to_a_minute() -> None:
    allowance, now, pauses = failed(Allowance(), 5), NOW, []
    for _ in range(6):
        assert allowance.open_until is not None
        pauses.append((allowance.open_until - now).total_seconds())
        now = allowance.open_until
        allowance = reserve(allowance, now).failed(now=now)
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_calls_under_way_when_the_breaker_opens_do_not_double_the_pause() -> None:
    assert failed(Allowance(), 25).open_until == after(5)


def test_a_block_holds_until_its_time_and_says_why() -> None:
    allowance = Allowance().blocked(until=after(60), because="too many")
    with pytest.raises(SourceBlocked, match="too many") as caught:
        reserve(allowance, after(15))
    assert caught.value.retry_after == pytest.approx(45)
    assert reserve(allowance, after(60)) == Allowance()


def test_a_block_is_never_shortened_by_another_and_survives_a_success() -> None:
    allowance = Allowance().blocked(until=after(60), because="long")
    assert allowance.blocked(until=after(30), because="short") == allowance
    assert allowance.succeeded(reserved=1, spent=1, reserved_at=NOW) == allowance
    assert allowance.unblocked() == Allowance()


def test_waiting_times_are_never_zero() -> None:
    allowance = Allowance().blocked(until=NOW + timedelta(microseconds=1), because="nearly over")
    with pytest.raises(NotTried) as caught:
        reserve(allowance)
    assert isinstance(caught.value, SourceBlocked)
    assert caught.value.retry_after == 0.001


def test_polls_are_stretched_over_the_rest_of_the_month() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    interval = Allowance().poll_interval(now=start, credits=1, credits_per_month=15_000)
    assert interval == timedelta(days=30) / (15_000 * 0.9)


def test_where_credits_are_nearly_spent_the_next_poll_waits_for_the_next_month() -> None:
    allowance = Allowance(month="2026-11", credits_spent=100)
    assert allowance.poll_interval(now=NOW, credits=1, credits_per_month=100) == next_month(NOW) - NOW


@pytest.mark.parametrize(("credits", "budget"), [(0, 100), (1, 0)])
def test_what_costs_nothing_or_has_no_budget_is_not_stretched(credits: int, budget: int) -> None:
    assert Allowance().poll_interval(now=NOW, credits=credits, credits_per_month=budget) == timedelta(0)


@given(st.integers(min_value=1, max_value=30), st.integers(min_value=30, max_value=3000))
def test_polling_at_the_interval_never_passes_the_month(credits: int, budget: int) -> None:
    allowance, now, polls = Allowance(), datetime(2026, 2, 1, tzinfo=UTC), 0
    while now.month == 2 and polls < 200:
        allowance = reserve(allowance, now, credits, month=budget)
        polls += 1
        now += allowance.poll_interval(now=now, credits=credits, credits_per_month=budget)
    assert allowance.credits_spent <= budget


@pytest.mark.parametrize(
    ("now", "month", "day"),
    [
        (NOW, datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)),
        (
            datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
            datetime(2027, 1, 1, tzinfo=UTC),
            datetime(2027, 1, 1, tzinfo=UTC),
        ),
        (
            datetime(2028, 2, 28, tzinfo=UTC),
            datetime(2028, 3, 1, tzinfo=UTC),
            datetime(2028, 2, 29, tzinfo=UTC),
        ),
    ],
)
def test_the_next_month_and_day_begin_at_utc_midnight(now: datetime, month: datetime, day: datetime) -> None:
    assert next_month(now) == month
    assert next_day(now) == day


def test_what_is_left_of_the_month_starts_anew_with_the_next_and_is_never_negative() -> None:
    allowance = reserve(Allowance(), credits=7, month=10)
    assert allowance.credits_left(now=NOW, limit=10) == 3
    assert allowance.credits_left(now=next_month(NOW), limit=10) == 10
    assert allowance.credits_left(now=NOW, limit=5) == 0


def test_what_is_left_of_the_minute_comes_back_as_calls_grow_old() -> None:
    allowance = reserve(reserve(Allowance(), calls=3), after(10), calls=3)
    assert allowance.calls_left(now=after(10), limit=3) == 1
    assert allowance.calls_left(now=after(62), limit=3) == 2
    assert allowance.calls_left(now=after(10), limit=1) == 0


def test_a_source_is_closed_while_it_is_blocked_or_its_breaker_open() -> None:
    assert not Allowance().is_closed(NOW)
    blocked = Allowance().blocked(until=after(30), because="told to stop")
    opened = failed(Allowance(), FAILURES_TO_OPEN)
    assert opened.open_until is not None
    for allowance, until in ((blocked, after(30)), (opened, opened.open_until)):
        assert allowance.is_closed(NOW)
        assert not allowance.is_closed(until)

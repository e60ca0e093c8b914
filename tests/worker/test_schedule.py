"""When jobs are due."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.schedule import Cron, Every, ScheduleState
from worker.schedule import NEVER, next_due, wait_for

NOW = datetime(2026, 11, 20, 12, 2, 30, tzinfo=UTC)
RETRY = timedelta(seconds=15)
NO_PACE = timedelta(0)
FIVE_MINUTES = Every(timedelta(minutes=5))
EACH_FIVE = Cron("*/5 * * * *")


def state(
    done_at: datetime | None = None,
    claimed_for: datetime | None = None,
    claimed_until: datetime | None = None,
) -> ScheduleState:
    return ScheduleState(job="prices", done_at=done_at, claimed_for=claimed_for, claimed_until=claimed_until)


@pytest.mark.parametrize("schedule", [FIVE_MINUTES, EACH_FIVE])
def test_a_job_that_never_ran_is_due_at_once(schedule: Every | Cron) -> None:
    assert next_due(schedule, state(), now=NOW, pace=NO_PACE, retry=RETRY) == NEVER


def test_an_interval_counts_from_the_last_visit_that_covered_all() -> None:
    done = NOW - timedelta(minutes=2)
    due = next_due(FIVE_MINUTES, state(done, done), now=NOW, pace=NO_PACE, retry=RETRY)
    assert due == done + timedelta(minutes=5)


def test_a_visit_made_for_another_reason_postpones_the_poll() -> None:
    done = NOW - timedelta(minutes=1)
    due = next_due(FIVE_MINUTES, state(done, None), now=NOW, pace=NO_PACE, retry=RETRY)
    assert due == done + timedelta(minutes=5)


@pytest.mark.parametrize("schedule", [FIVE_MINUTES, EACH_FIVE])
def test_what_fails_for_good_is_repeated_no_more_often_than_the_schedule_says(schedule: Every | Cron) -> None:
    ended = NOW - timedelta(seconds=5)
    due = next_due(schedule, state(None, NEVER, ended), now=NOW, retry=timedelta(hours=1))
    assert NOW < due <= ended + timedelta(minutes=5)


def test_times_that_a_fast_clock_left_in_the_future_stop_no_schedule() -> None:
    ahead = NOW + timedelta(days=30)
    for stuck in (state(ahead, ahead, ahead), state(ahead), state(None, NOW, ahead), state(NOW, NOW, ahead)):
        assert next_due(FIVE_MINUTES, stuck, now=NOW, retry=RETRY) <= NOW + timedelta(minutes=5)


def test_a_budget_that_runs_short_stretches_the_interval() -> None:
    done = NOW - timedelta(minutes=2)
    due = next_due(FIVE_MINUTES, state(done, done), now=NOW, pace=timedelta(minutes=9), retry=RETRY)
    assert due == done + timedelta(minutes=9)


def test_a_run_that_did_not_cover_all_is_tried_again_after_the_pause() -> None:
    ended = NOW - timedelta(seconds=5)
    due = next_due(FIVE_MINUTES, state(None, NEVER, ended), now=NOW, pace=NO_PACE, retry=RETRY)
    assert due == ended + RETRY


def test_while_a_worker_is_at_it_nobody_else_is_due() -> None:
    until = NOW + timedelta(seconds=40)
    due = next_due(FIVE_MINUTES, state(None, NEVER, until), now=NOW, pace=NO_PACE, retry=RETRY)
    assert due == until


def test_cron_is_due_at_its_next_tick_in_utc() -> None:
    done = datetime(2026, 11, 20, 12, 0, 1, tzinfo=UTC)
    due = next_due(EACH_FIVE, state(done, done), now=NOW, pace=NO_PACE, retry=RETRY)
    assert due == datetime(2026, 11, 20, 12, 5, tzinfo=UTC)


def test_six_fields_have_seconds_first() -> None:
    done = NOW - timedelta(seconds=3)
    due = next_due(Cron("*/10 * * * * *"), state(done, done), now=NOW, pace=NO_PACE, retry=RETRY)
    assert due == NOW


def test_after_a_stall_cron_catches_up_once_with_the_latest_tick() -> None:
    done = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    due = next_due(EACH_FIVE, state(done, done), now=NOW, pace=NO_PACE, retry=RETRY)
    assert due == datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    after = next_due(EACH_FIVE, state(NOW, due), now=NOW, pace=NO_PACE, retry=RETRY)
    assert after == datetime(2026, 11, 20, 12, 5, tzinfo=UTC)


def test_a_short_budget_lets_cron_ticks_pass() -> None:
    done = datetime(2026, 11, 20, 12, 0, 1, tzinfo=UTC)
    due = next_due(EACH_FIVE, state(done, done), now=NOW, pace=timedelta(minutes=12), retry=RETRY)
    assert due == datetime(2026, 11, 20, 12, 15, tzinfo=UTC)


@given(
    stalled=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3)),
    schedule=st.sampled_from([FIVE_MINUTES, EACH_FIVE]),
)
def test_no_stall_makes_a_burst(stalled: timedelta, schedule: Every | Cron) -> None:
    done = NOW - stalled
    runs = 0
    current = state(done, done, done)
    while next_due(schedule, current, now=NOW, pace=NO_PACE, retry=RETRY) <= NOW:
        due = next_due(schedule, current, now=NOW, pace=NO_PACE, retry=RETRY)
        current = state(NOW, due, NOW)
        runs += 1
    assert runs <= 1


async def test_what_is_due_already_is_not_waited_for() -> None:
    async with asyncio.timeout(1):
        await wait_for(EACH_FIVE, NOW, NOW)
    assert next_due(EACH_FIVE, state(), now=NOW, pace=NO_PACE, retry=RETRY) < NOW


async def test_a_tick_wakes_the_waiter() -> None:
    now = datetime.now(UTC)
    every_second = Cron("* * * * * *")
    due = next_due(every_second, state(now, now), now=now, pace=NO_PACE, retry=RETRY)
    await wait_for(every_second, due, now)
    assert datetime.now(UTC) >= due - timedelta(milliseconds=50)

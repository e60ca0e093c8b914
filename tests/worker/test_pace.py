"""How polls share the month's credits of one source."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.allowance import POLLS_SHARE, Allowance, next_month
from shared.domain.schedule import Cron, Every
from tests.worlds import small_world
from worker.jobs.catalog import renew_catalog
from worker.jobs.ranking import poll_ranking
from worker.pace import interval_of, pace_of_prices, pace_of_rankings, plan_of_prices, stretched

START = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def pace_of(
    job: int, jobs: list[tuple[int, timedelta]], month: Allowance, now: datetime, limit: int
) -> timedelta:
    """`jobs`: credits and interval of each."""
    loads = [
        (month.poll_interval(now=now, credits=credits, credits_per_month=limit), interval)
        for credits, interval in jobs
    ]
    return stretched(jobs[job][1], loads)


JOBS = st.lists(
    st.tuples(st.integers(1, 25), st.integers(1, 600).map(lambda minutes: minutes * MINUTE)),
    min_size=1,
    max_size=4,
)
"""Credits and interval of each."""


@given(jobs=JOBS, spent=st.integers(0, 14_900), seconds=st.integers(0, 30 * 86_400 - 60))
def test_all_jobs_together_spend_no_more_than_the_polls_share_of_what_is_left(
    jobs: list[tuple[int, timedelta]], spent: int, seconds: int
) -> None:
    now = START + timedelta(seconds=seconds)
    month = Allowance(month="2026-11", credits_spent=spent)
    rest, left = next_month(now) - now, month.credits_left(now=now, limit=15_000)
    planned = sum(
        credits * (rest / max(interval, pace_of(job, jobs, month, now, 15_000)))
        for job, (credits, interval) in enumerate(jobs)
    )
    assert planned <= left * POLLS_SHARE * (1 + 1e-6)


def test_two_jobs_share_one_month_to_its_end() -> None:
    jobs = [(2, 5 * MINUTE), (5, 7 * MINUTE)]
    limit, now, end, month = 3_000, START, next_month(START), Allowance()
    done = [START - interval for _, interval in jobs]
    while month.credits_left(now=now, limit=limit) >= max(credits for credits, _ in jobs):
        due = [
            done[job] + max(interval, pace_of(job, jobs, month, now, limit))
            for job, (_, interval) in enumerate(jobs)
        ]
        job = due.index(min(due))
        now = max(now, due[job])
        month = month.reserve(now=now, credits=jobs[job][0], calls_per_minute=0, credits_per_month=limit)
        done[job] = now
    assert end - now < timedelta(hours=6)


@given(credits=st.integers(1, 50), minutes=st.integers(1, 600))
def test_a_job_that_is_alone_goes_at_the_pace_of_the_month(credits: int, minutes: int) -> None:
    alone = Allowance().poll_interval(now=START, credits=credits, credits_per_month=15_000)
    pace = pace_of(0, [(credits, minutes * MINUTE)], Allowance(), START, 15_000)
    assert abs(pace - alone) < timedelta(milliseconds=1)


@given(
    first=st.integers(1, 60),
    second=st.integers(1, 60),
    credits=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_jobs_are_stretched_alike(first: int, second: int, credits: tuple[int, int]) -> None:
    jobs = [(credits[0], first * MINUTE), (credits[1], second * MINUTE)]
    paces = [pace_of(job, jobs, Allowance(), START, 15_000) for job in (0, 1)]
    assert abs(paces[0] / (first * MINUTE) - paces[1] / (second * MINUTE)) < 1e-6


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        (Every(5 * MINUTE), 5 * MINUTE),
        (Cron("*/10 * * * *"), 10 * MINUTE),
        (Cron("*/10 * * * * *"), timedelta(seconds=10)),
        (Cron("0 6,18 * * *"), timedelta(hours=12)),
    ],
    ids=str,
)
def test_the_interval_of_a_schedule(schedule: Every | Cron, interval: timedelta) -> None:
    assert interval_of(schedule, START) == interval


async def test_jobs_at_different_sources_do_not_share_a_month(tmp_path: Path) -> None:
    month = {"coinmarketcap_credits_per_month": 1000, "cryptocompare_credits_per_month": 1000}
    async with small_world(tmp_path, sources=("coinmarketcap", "cryptocompare"), **month) as (world, _):
        await renew_catalog(world)
        spent, _version = await world.storage.allowance("coinmarketcap")
        prices, rankings = await pace_of_prices(world), await pace_of_rankings(world)
        alone = spent.poll_interval(now=world.clock(), credits=1, credits_per_month=1000)
        two = Allowance().poll_interval(now=world.clock(), credits=2, credits_per_month=1000)
        assert abs(prices - alone) < timedelta(seconds=1)
        assert abs(rankings - two) < timedelta(seconds=1)


async def test_without_a_budget_nothing_is_stretched(tmp_path: Path) -> None:
    async with small_world(tmp_path, coinmarketcap_credits_per_month=0) as (world, _):
        await renew_catalog(world)
        assert await pace_of_prices(world) == await pace_of_rankings(world) == timedelta(0)


async def test_what_the_ranking_has_just_brought_costs_the_price_poll_nothing(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_top=200) as (world, _):
        await renew_catalog(world)
        catalog = await world.storage.catalog()
        before = await plan_of_prices(world, catalog)
        await poll_ranking(world)
        ranking = await world.storage.last_ranking()
        assert ranking is not None
        after = await plan_of_prices(world, catalog)
        assert after.what.all == before.what.all.difference(ranking.currency_ids)
        assert after.pace < before.pace * 1.01

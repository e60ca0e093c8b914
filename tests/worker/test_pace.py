"""How polls share the month's credits of one source."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from shared.domain.allowance import FAILURES_TO_OPEN, POLLS_SHARE, Allowance, next_month
from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.errors import NotTried
from shared.opening import World
from shared.ports import PriceSource
from shared.upstream import Upstream
from tests.shared.upstream.doubles import Clock, Keeper, PlainSource
from tests.worker.rankings import TOPLIST
from tests.worlds import small_world
from worker.jobs.catalog import renew_catalog
from worker.jobs.ranking import poll_ranking
from worker.pace import (
    FIAT_SHARE,
    Spending,
    pace_among,
    pace_of_fiats,
    pace_of_fixed,
    pace_of_prices,
    pace_of_rankings,
    plan_of_prices,
    spared_sources,
)

START = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
REST = 1 - 1 / FIAT_SHARE
"""Of a small month: what the fiat currencies leave to the others."""


class Month:
    """A source with a budget, and what was spent of it."""

    def __init__(self, limit: int, *, spent: int = 0, now: datetime = START) -> None:
        self.clock = Clock()
        self.clock.now = now
        self.source = PlainSource(base_url="", credits_per_month=limit)
        self.keeper = Keeper()
        self.keeper.kept["plain"] = (Allowance(month="2026-11", credits_spent=spent), 1)
        self.upstream = Upstream(self.keeper, clock=self.clock, registry=CollectorRegistry())

    def left(self) -> int:
        return self.keeper.state().credits_left(now=self.clock.now, limit=self.source.credits_per_month)

    def jobs(self, *jobs: tuple[int, timedelta]) -> list[Spending]:
        """Credits and interval of each."""
        return [
            Spending(source=self.source, credits=credits, interval=interval) for credits, interval in jobs
        ]

    async def paces(self, jobs: list[Spending], fixed: Spending | None = None) -> list[timedelta]:
        """The one of `fixed` last, where there is one."""
        paces = [
            await pace_among(self.upstream, one, [*jobs[:number], *jobs[number + 1 :]], fixed)
            for number, one in enumerate(jobs)
        ]
        return [*paces, await pace_of_fixed(self.upstream, fixed)] if fixed else paces


JOBS = st.lists(
    st.tuples(st.integers(1, 25), st.integers(1, 600).map(lambda minutes: minutes * MINUTE)),
    min_size=1,
    max_size=4,
)
"""Credits and interval of each."""


FIXED = st.tuples(st.integers(0, 15), st.integers(1, 600).map(lambda minutes: minutes * MINUTE))


@given(jobs=JOBS, fixed=FIXED, spent=st.integers(0, 14_900), seconds=st.integers(0, 30 * 86_400 - 60))
async def test_all_jobs_together_spend_no_more_than_the_polls_share_of_what_is_left(
    jobs: list[tuple[int, timedelta]], fixed: tuple[int, timedelta], spent: int, seconds: int
) -> None:
    now = START + timedelta(seconds=seconds)
    month = Month(15_000, spent=spent, now=now)
    paces = await month.paces(month.jobs(*jobs), month.jobs(fixed)[0])
    rest = next_month(now) - now
    planned = [
        credits * (rest / max(interval, pace))
        for (credits, interval), pace in zip([*jobs, fixed], paces, strict=True)
    ]
    of_polls = month.left() * POLLS_SHARE * (1 + 1e-6)
    assert sum(planned) <= of_polls
    assert planned[-1] <= of_polls / FIAT_SHARE


@given(credits=st.integers(1, 15), minutes=st.integers(1, 6000))
async def test_the_fixed_job_and_the_stretched_ones_spend_the_month_exactly_once(
    credits: int, minutes: int
) -> None:
    month = Month(1_000)
    jobs, (fixed,) = month.jobs((2, MINUTE), (5, 3 * MINUTE)), month.jobs((credits, minutes * MINUTE))
    paces = await month.paces(jobs, fixed)
    planned = sum(
        one.credits * ((next_month(START) - START) / max(one.interval, pace))
        for one, pace in zip([*jobs, fixed], paces, strict=True)
    )
    assert planned == pytest.approx(month.left() * POLLS_SHARE, rel=1e-6)


async def test_a_fixed_job_keeps_its_interval_up_to_its_share_of_the_month_and_no_further() -> None:
    for limit, pace in ((4_000, HOUR), (2_000, 2 * HOUR)):
        month = Month(limit)
        (fixed,) = month.jobs((1, HOUR))
        assert await pace_of_fixed(month.upstream, fixed) == pace


async def test_with_hardly_any_credits_left_the_others_wait_no_longer_for_the_fixed_job_than_for_its_share() -> (
    None
):
    month = Month(15_000, spent=14_999)
    (own, fixed) = month.jobs((1, 5 * MINUTE), (1, HOUR))
    pace, _ = await month.paces([own], fixed)
    assert pace / ((next_month(START) - START) / REST) == pytest.approx(1, rel=1e-6)


async def test_three_jobs_share_one_month_to_its_end() -> None:
    month = Month(3_000)
    jobs = month.jobs((2, 5 * MINUTE), (5, 7 * MINUTE), (1, HOUR))
    end, done = next_month(START), [START - one.interval for one in jobs]
    while month.left() >= max(one.credits for one in jobs):
        paces = await month.paces(jobs[:-1], jobs[-1])
        due = [last + max(one.interval, pace) for last, one, pace in zip(done, jobs, paces, strict=True)]
        job = due.index(min(due))
        now = month.clock.now = max(month.clock.now, due[job])
        spent = month.keeper.state().reserve(
            now=now, credits=jobs[job].credits, calls_per_minute=0, credits_per_month=3_000
        )
        month.keeper.kept["plain"] = (spent, 1)
        done[job] = now
    assert end - month.clock.now < 6 * HOUR


@given(credits=st.integers(1, 50), minutes=st.integers(1, 600))
async def test_a_job_that_is_alone_goes_at_the_pace_of_the_month(credits: int, minutes: int) -> None:
    month = Month(15_000)
    (pace,) = await month.paces(month.jobs((credits, minutes * MINUTE)))
    alone = Allowance().poll_interval(now=START, credits=credits, credits_per_month=15_000)
    assert abs(pace - alone) < timedelta(milliseconds=1)


@given(
    first=st.integers(1, 60),
    second=st.integers(1, 60),
    credits=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
async def test_jobs_are_stretched_alike(first: int, second: int, credits: tuple[int, int]) -> None:
    month = Month(15_000)
    paces = await month.paces(month.jobs((credits[0], first * MINUTE), (credits[1], second * MINUTE)))
    assert abs(paces[0] / (first * MINUTE) - paces[1] / (second * MINUTE)) < 1e-6


async def test_a_job_at_another_source_is_not_counted() -> None:
    month = Month(15_000)
    (own,) = month.jobs((1, MINUTE))
    elsewhere = replace(own, source=PlainSource(base_url="", name="other", credits_per_month=10))
    assert await pace_among(month.upstream, own, [elsewhere], elsewhere) == (await month.paces([own]))[0]


async def test_jobs_at_different_sources_do_not_share_a_month(tmp_path: Path) -> None:
    month = {"coinmarketcap_credits_per_month": 1000, "cryptocompare_credits_per_month": 1000}
    async with small_world(tmp_path, sources=("coinmarketcap", "cryptocompare"), **month) as (world, _):
        await renew_catalog(world)
        spent, _version = await world.storage.allowance("coinmarketcap")
        prices, rankings = await pace_of_prices(world), await pace_of_rankings(world)
        alone = spent.poll_interval(now=world.clock(), credits=1, credits_per_month=1000)
        two = Allowance().poll_interval(now=world.clock(), credits=2, credits_per_month=1000)
        assert abs(prices - alone / REST) < timedelta(seconds=1)
        assert abs(rankings - two) < timedelta(seconds=1)


async def test_without_a_budget_nothing_is_stretched(tmp_path: Path) -> None:
    async with small_world(tmp_path, coinmarketcap_credits_per_month=0) as (world, _):
        await renew_catalog(world)
        assert await pace_of_prices(world) == timedelta(0)
        assert await pace_of_rankings(world) == await pace_of_fiats(world) == timedelta(0)


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


BOTH = ("coinmarketcap", "cryptocompare")


async def test_polls_of_one_source_are_stretched_for_each_other_and_those_of_fiat_currencies_by_themselves(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path, ranking_schedule="10m", coinmarketcap_credits_per_month=100) as (
        world,
        _,
    ):
        await renew_catalog(world)
        alone = await world.upstream.poll_interval(world.sources[0], 1)
        # As long as their polls take, each in its own interval.
        share = (alone / (5 * MINUTE) + alone / (10 * MINUTE)) / REST
        assert await pace_of_prices(world) / (share * 5 * MINUTE) == pytest.approx(1, rel=1e-3)
        assert await pace_of_rankings(world) / (share * 10 * MINUTE) == pytest.approx(1, rel=1e-3)
        assert await pace_of_fiats(world) / (FIAT_SHARE * alone) == pytest.approx(1, rel=1e-3)


async def test_with_default_settings_and_the_free_plan_fiat_currencies_keep_their_schedule(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path, tracked_top=200) as (small, _):
        await renew_catalog(small)
        clock = Clock()
        clock.now = START
        upstream = Upstream(small.storage, clock=clock, registry=CollectorRegistry())
        world = replace(small, clock=clock, upstream=upstream)
        assert await pace_of_fiats(world) == timedelta(minutes=16)
        prices, rankings = await pace_of_prices(world), await pace_of_rankings(world)
    assert prices == rankings
    assert 30 * (2 * (24 * HOUR / prices) + 24) == pytest.approx(13_500)


async def test_fiat_currencies_cost_a_credit_for_what_the_fiat_source_does_not_know_or_cannot_give(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path, coinmarketcap_credits_per_month=100) as (world, _):
        await store_catalog(world, EURO)
        assert await pace_of_fiats(world) == timedelta(0)
        blocked = Allowance().blocked(until=world.clock() + HOUR, because="told to stop")
        await change(world, "frankfurter", blocked)
        asked = await pace_of_fiats(world)
        await change(world, "frankfurter", Allowance())
        await renew_catalog(world)
        ruble_too = await pace_of_fiats(world)
    assert asked > HOUR
    assert ruble_too > HOUR


async def test_fiat_currencies_are_no_matter_of_a_preferred_source_that_knows_none(tmp_path: Path) -> None:
    sources = ("cryptocompare", "coinmarketcap")
    month = {"coinmarketcap_credits_per_month": 100, "cryptocompare_credits_per_month": 100}
    async with small_world(tmp_path, sources=sources, **month) as (world, _):
        await renew_catalog(world)
        assert await poll_ranking(world) is not None
        alone = await world.upstream.poll_interval(world.sources[1], 1)
        assert await pace_of_fiats(world) / (FIAT_SHARE * alone) == pytest.approx(1, rel=1e-3)


async def change(world: World, source: str, allowance: Allowance) -> None:
    _, version = await world.storage.allowance(source)
    assert await world.storage.replace_allowance(source, allowance, version=version)


async def test_while_the_leading_source_is_closed_the_next_one_bears_the_rankings(tmp_path: Path) -> None:
    async with small_world(tmp_path, sources=BOTH, coinmarketcap_credits_per_month=100) as (world, _):
        await renew_catalog(world)
        alone = await world.upstream.poll_interval(world.sources[0], 1)
        assert await pace_of_rankings(world) < 5 * MINUTE
        assert await pace_of_prices(world) / alone == pytest.approx(1 / REST, rel=1e-3)
        blocked = Allowance().blocked(until=world.clock() + HOUR, because="told to stop")
        await change(world, "cryptocompare", blocked)
        assert await pace_of_rankings(world) / alone == pytest.approx(2 / REST, rel=1e-3)
        assert await pace_of_prices(world) / alone == pytest.approx(2 / REST, rel=1e-3)


async def test_while_the_source_of_prices_is_closed_the_next_one_bears_the_prices(tmp_path: Path) -> None:
    async with small_world(tmp_path, sources=BOTH, cryptocompare_credits_per_month=100) as (world, _):
        await renew_catalog(world)
        await poll_ranking(world)
        two = await world.upstream.poll_interval(world.sources[1], 2)
        assert await pace_of_rankings(world) / two == pytest.approx(1, rel=1e-3)
        failing = Allowance(failures=FAILURES_TO_OPEN, open_until=world.clock())
        await change(world, "coinmarketcap", failing)
        assert await pace_of_prices(world) / (two * 1.5) == pytest.approx(1, rel=1e-3)
        assert await pace_of_rankings(world) / (two * 1.5) == pytest.approx(1, rel=1e-3)


async def test_a_ranking_poll_whose_source_fails_goes_on_to_the_next_at_the_pace_of_that_one(
    tmp_path: Path,
) -> None:
    """Before a source has failed nobody knows that it will: only its polls find out that it is back."""
    async with small_world(tmp_path, sources=BOTH, coinmarketcap_credits_per_month=100) as (world, upstreams):
        await renew_catalog(world)
        await upstreams.fault(path=TOPLIST, kind="missing", ids=list(range(1, 3000)))
        assert await spared_sources(world) == frozenset()
        assert await poll_ranking(world) is not None
        assert await spared_sources(world) == {"coinmarketcap"}
        before = await upstreams.calls("listings")
        assert await poll_ranking(world) is None
        assert await upstreams.calls("listings") == before
        pace = 2 / REST * await world.upstream.poll_interval(world.sources[0], 1)
        later = world.clock() + pace * 1.01
        then = replace(world, clock=lambda: later)
        assert await spared_sources(then) == frozenset()
        assert await pace_of_prices(then) / pace == pytest.approx(1, rel=1e-3)
        await upstreams.heal()
        assert await poll_ranking(world) is not None
        assert await spared_sources(world) == frozenset()


BITCOIN = Currency(id=1, name="Bitcoin", symbol="BTC", slug="bitcoin", rank=1, is_active=True)
EURO = Currency(
    id=2790, name="Euro", symbol="EUR", slug="", rank=None, is_active=True, kind=CurrencyKind.FIAT
)
RUBLE = replace(EURO, id=2806, name="Russian Ruble", symbol="RUB")
"""The European Central Bank sets rates of the euro, none of this."""


async def store_catalog(world: World, *fiats: Currency) -> None:
    """Of one coin, and of these."""
    for kind, currencies in ((CurrencyKind.CRYPTO, (BITCOIN,)), (CurrencyKind.FIAT, fiats)):
        entries = [CatalogEntry(one, CurrencyMetadata()) for one in currencies]
        await world.storage.record_catalog(kind, entries, stored_at=world.clock())


class Model:
    """A month of all polls, of which the scheduler's and the sources' parts are played."""

    def __init__(self, world: World, clock: Clock, fault: str, away_from: datetime) -> None:
        upstream = Upstream(world.storage, clock=clock, registry=CollectorRegistry())
        self.world = replace(world, clock=clock, upstream=upstream)
        self.clock = clock
        self._fault = fault
        self._away_from = away_from
        self.priced: list[datetime] = []

    async def run(self, until: datetime) -> None:
        now = self.clock()
        done = {"prices": now - 2 * HOUR, "rankings": now - 3 * HOUR, "fiat": now - 6 * HOUR}
        polls = {"prices": self.poll_prices, "rankings": self.poll_ranking, "fiat": self.poll_fiats}
        while True:
            due = {
                "prices": done["prices"] + max(2 * HOUR, await pace_of_prices(self.world)),
                "rankings": done["rankings"] + max(3 * HOUR, await pace_of_rankings(self.world)),
                "fiat": done["fiat"] + max(6 * HOUR, await pace_of_fiats(self.world)),
            }
            job = min(due, key=lambda one: due[one])
            if due[job] >= until:
                return
            # The state is read again now and then: what is due may be due later by then.
            if due[job] > self.clock() + HOUR:
                self.clock.now += HOUR
                continue
            self.clock.now = max(self.clock(), due[job])
            if await polls[job]():
                done[job] = self.clock()
            else:
                done[job] += HOUR / 2

    async def poll_prices(self) -> bool:
        if not await self.spend(self.world.sources[0], 1):
            return False
        self.priced.append(self.clock())
        return True

    async def poll_fiats(self) -> bool:
        return await self.spend(self.world.sources[0], 1)

    async def poll_ranking(self) -> bool:
        preferred, leading = self.world.sources
        spared = await spared_sources(self.world)
        name = leading.name
        if self.clock() >= self._away_from:
            await self.fail(leading)
            name = preferred.name
            if name in spared or not await self.spend(preferred, 1):
                return False
        now = self.clock()
        await self.world.storage.record_ranking(name, [1], is_whole=False, observed_at=now, stored_at=now)
        return True

    async def fail(self, source: PriceSource) -> None:
        state, _ = await self.world.storage.allowance(source.name)
        now = self.clock()
        if self._fault == "refuses":
            await change(self.world, source.name, state.blocked(until=now + HOUR, because="bad key"))
        elif self._fault == "fails":
            for _ in range(FAILURES_TO_OPEN):
                state = state.failed(now=now)
            await change(self.world, source.name, state)

    async def spend(self, source: PriceSource, credits: int) -> bool:
        state, _ = await self.world.storage.allowance(source.name)
        try:
            spent = state.reserve(
                now=self.clock(),
                credits=credits,
                calls_per_minute=0,
                credits_per_month=source.credits_per_month,
            )
        except NotTried:
            return False
        await change(self.world, source.name, spent)
        return True


@pytest.mark.parametrize("fault", ["refuses", "fails", "is torn"])
@pytest.mark.parametrize("days", [0, 2])
async def test_a_leading_source_that_goes_away_leaves_prices_to_the_end_of_the_month(
    tmp_path: Path, fault: str, days: int
) -> None:
    settings = {
        "price_schedule": "2h",
        "ranking_schedule": "3h",
        "fiat_schedule": "6h",
        "coinmarketcap_credits_per_month": 40,
    }
    async with small_world(tmp_path, sources=BOTH, **settings) as (world, _):
        await store_catalog(world, EURO, RUBLE)
        clock = Clock()
        clock.now = datetime(2026, 11, 25, tzinfo=UTC)
        model = Model(world, clock, fault, clock.now + timedelta(days=days))
        await model.run(until=next_month(clock.now))
    ends = [*model.priced[1:], next_month(clock.now)]
    gaps = [end - start for start, end in zip(model.priced, ends, strict=True)]
    assert max(gaps) < 12 * HOUR

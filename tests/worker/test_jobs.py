"""The scheduled jobs, against the simulator and SQLite."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.allowance import Allowance
from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.errors import QueueUnavailable
from shared.opening import World
from shared.queue.in_process import InProcessQueue
from shared.settings import read_settings
from tests.worlds import Upstreams, small_world
from worker.jobs import JOBS, prices
from worker.jobs.catalog import renew_catalog
from worker.jobs.prices import pace_prices, poll_prices, tracked
from worker.jobs.upkeep import keep_up


def currency(currency_id: int, symbol: str, rank: int | None, *, is_active: bool = True) -> Currency:
    return Currency(
        id=currency_id, name=symbol, symbol=symbol, slug=symbol.lower(), rank=rank, is_active=is_active
    )


def test_the_top_and_the_named_are_tracked_and_a_shared_symbol_means_its_best_ranked_one() -> None:
    catalog = [
        currency(1, "BTC", 1),
        currency(2, "ONE", 2),
        currency(3, "ONE", 30),
        currency(4, "gone", None),
    ]
    settings = read_settings(_env_file=None, tracked_top=1, tracked_symbols="one,nonsense")
    what = tracked(catalog, settings)
    assert what.top == {1}
    assert what.named == {2}


def test_an_inactive_currency_is_not_tracked() -> None:
    catalog = [currency(5, "OLD", None, is_active=False), currency(6, "OLD", 900)]
    assert tracked(catalog, read_settings(_env_file=None, tracked_symbols="OLD")).named == {6}


async def test_the_catalog_holds_both_kinds(world: World) -> None:
    assert await renew_catalog(world) is not None
    catalog = await world.storage.catalog()
    kinds = [one.kind for one in catalog]
    assert kinds.count(CurrencyKind.CRYPTO) >= 500
    assert kinds.count(CurrencyKind.FIAT) >= 20
    outcomes = {visit.outcome for visit in await world.storage.visits(limit=10)}
    assert outcomes == {VisitOutcome.DONE}


async def test_a_catalog_that_suddenly_shrinks_is_not_believed(world: World) -> None:
    many = [CatalogEntry(currency(100_000 + n, f"C{n}", n + 1), CurrencyMetadata()) for n in range(3000)]
    await world.storage.record_catalog(CurrencyKind.CRYPTO, many, stored_at=world.clock())
    assert await renew_catalog(world) is None
    active = [
        one for one in await world.storage.catalog() if one.is_active and one.kind is CurrencyKind.CRYPTO
    ]
    assert len(active) == 3000


async def test_a_catalog_that_fails_is_journaled_and_hides_nothing(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    before = await world.storage.catalog()
    await upstreams.fault(path="map", kind="status", code=1001)
    assert await renew_catalog(world) is None
    assert await world.storage.catalog() == before
    assert (await world.storage.visits(limit=1))[0].outcome in {VisitOutcome.FAILED, VisitOutcome.NOT_TRIED}


async def test_a_poll_covers_the_top_in_one_call(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    before = await upstreams.calls()
    assert await poll_prices(world) is not None
    assert await upstreams.calls() - before == 1
    rates = await world.storage.last_rates()
    assert len(rates) == 20
    visit = (await world.storage.visits(limit=1))[0]
    assert (visit.reason, visit.outcome, visit.rates_stored) == (VisitReason.POLL, VisitOutcome.DONE, 20)


async def test_a_named_currency_that_did_not_come_is_asked_for_by_id(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_symbols="TRX", tracked_top=150) as (world, upstreams):
        await renew_catalog(world)
        trx = next(one for one in await world.storage.catalog() if one.symbol == "TRX")
        await upstreams.fault(path="listings", kind="missing", ids=[trx.id])
        assert await poll_prices(world) is not None
        assert [rate.currency_id for rate in await world.storage.last_rates([trx.id])] == [trx.id]
        assert await upstreams.calls("quotes") == 1


async def test_a_poll_that_fails_covers_nothing(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    await upstreams.fault(path="cryptocurrency", kind="status", code=1001)
    assert await poll_prices(world) is None
    assert await world.storage.last_rates() == []


async def test_a_poll_whose_listing_failed_beside_its_quotes_is_not_covered(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_symbols="TRX", tracked_top=3) as (world, upstreams):
        await renew_catalog(world)
        far = next(one for one in await world.storage.catalog() if one.rank == 450)
        settings = world.settings.model_copy(update={"tracked_symbols": (far.symbol,), "tracked_top": 200})
        await upstreams.fault(path="listings", kind="status", code=500)
        assert await poll_prices(replace(world, settings=settings)) is None
        assert [rate.currency_id for rate in await world.storage.last_rates()] == [far.id]


async def test_a_named_currency_that_the_source_does_not_have_is_covered_by_its_answer(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path, tracked_symbols="TRX", tracked_top=3) as (world, upstreams):
        await renew_catalog(world)
        trx = next(one for one in await world.storage.catalog() if one.symbol == "TRX")
        await upstreams.fault(path="quotes", kind="missing", ids=[trx.id])
        assert await poll_prices(world) is not None


async def test_with_the_queue_away_a_poll_and_a_catalog_are_done_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise QueueUnavailable

    monkeypatch.setattr(InProcessQueue, "announce", away)
    assert await renew_catalog(world) is not None
    assert await poll_prices(world) is not None


async def test_without_a_catalog_there_is_no_poll(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "CATALOG_PATIENCE", timedelta(seconds=0.2))
    assert await poll_prices(world) is None


async def test_with_nothing_tracked_the_poll_is_done_at_once(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_top=0) as (world, upstreams):
        await renew_catalog(world)
        before = await upstreams.calls()
        assert await poll_prices(world) is not None
        assert await upstreams.calls() == before


async def test_the_pace_stretches_with_the_credits_that_are_left(tmp_path: Path) -> None:
    async with small_world(tmp_path, coinmarketcap_credits_per_month=100) as (world, _):
        await renew_catalog(world)
        await poll_prices(world)
        left, _version = await world.storage.allowance("coinmarketcap")
        assert left.credits_spent == 1

        def interval(allowance: Allowance) -> timedelta:
            return allowance.poll_interval(now=world.clock(), credits=1, credits_per_month=100)

        longest, pace, shortest = interval(left), await pace_prices(world), interval(left)
        assert longest >= pace >= shortest > interval(Allowance())


async def test_upkeep_forgets_old_visits_and_keeps_new_ones(world: World) -> None:
    now = world.clock()
    for age in (timedelta(days=31), timedelta(days=29)):
        await world.storage.record_visit(
            Visit(
                source="coinmarketcap",
                reason=VisitReason.POLL,
                what="listing",
                started_at=now - age,
                duration=timedelta(seconds=1),
                outcome=VisitOutcome.DONE,
                credits=1,
                rates_stored=0,
            )
        )
    assert await keep_up(world) is not None
    assert len(await world.storage.visits(limit=10)) == 1


def test_job_names_are_unique_and_leases_outlast_their_work() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS)
    assert all(job.lease > timedelta(seconds=30) for job in JOBS)

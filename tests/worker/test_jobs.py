"""The scheduled jobs, against the simulator and SQLite."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.domain.allowance import Allowance
from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.ranking import Ranking
from shared.domain.times import utc_now
from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.errors import QueueUnavailable, StorageUnavailable
from shared.messages import CatalogStored, Fact, RatesStored
from shared.opening import World
from shared.queue.in_process import InProcessQueue
from shared.settings import read_settings
from shared.storage.deals_postgresql import FORGET_SECONDS
from shared.storage.postgresql import COMMAND_SECONDS
from shared.visitor import Visitor
from tests.contract.storage.deals import deal, load, stored_deals
from tests.worker.rankings import ranking_of, visit
from tests.worker.test_consumer import Listener
from tests.worlds import Upstreams, small_world
from worker.jobs import JOBS
from worker.jobs.catalog import renew_catalog
from worker.jobs.prices import poll_prices
from worker.jobs.ranking import poll_ranking
from worker.jobs.upkeep import UPKEEP, keep_up
from worker.pace import pace_of_prices, plan_of_prices
from worker.schedule import LONGEST_LEASE
from worker.tracked import tracked


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
    what = tracked(catalog, settings, None)
    assert what.top == {1}
    assert what.named == {2}


def test_an_inactive_currency_is_not_tracked() -> None:
    catalog = [currency(5, "OLD", None, is_active=False), currency(6, "OLD", 900)]
    assert tracked(catalog, read_settings(_env_file=None, tracked_symbols="OLD"), None).named == {6}


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


async def test_a_poll_announces_its_rates(world: World) -> None:
    await renew_catalog(world)
    listener = await Listener(world).open()
    assert await poll_prices(world) is not None
    fact = await listener.next()
    assert isinstance(fact, RatesStored)
    assert set(fact.stored) == set(await world.storage.last_rates())
    assert len(fact.stored) == 20


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


async def test_without_a_catalog_there_is_no_poll(world: World) -> None:
    assert await poll_prices(world, patience=timedelta(seconds=0.2)) is None


async def test_with_nothing_tracked_the_poll_is_done_at_once(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_top=0) as (world, upstreams):
        await renew_catalog(world)
        before = await upstreams.calls()
        assert await poll_prices(world) is not None
        assert await upstreams.calls() == before


async def test_the_pace_stretches_with_the_credits_that_are_left_and_is_shared_with_the_other_polls(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path, coinmarketcap_credits_per_month=100) as (world, _):
        await renew_catalog(world)
        await poll_prices(world)
        left, _version = await world.storage.allowance("coinmarketcap")
        assert left.credits_spent == 1

        def interval(allowance: Allowance) -> timedelta:
            alone = allowance.poll_interval(now=world.clock(), credits=1, credits_per_month=100)
            # Prices and the ranking every 5 minutes; a fifth of so small a month is for the fiat currencies.
            return alone * 2 / 0.8

        longest, pace, shortest = interval(left), await pace_of_prices(world), interval(left)
        assert longest >= pace >= shortest > interval(Allowance())


def ranked(*currency_ids: int) -> Ranking:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return Ranking(
        id=1, source="x", observed_at=now, stored_at=now, currency_ids=currency_ids, is_whole=False
    )


def test_the_top_of_the_ranking_is_tracked_too_and_only_what_is_active() -> None:
    local = replace(currency(10**9, "LOC", None), kind=CurrencyKind.LOCAL)
    merged = replace(currency(10**9 + 1, "GONE", None, is_active=False), kind=CurrencyKind.LOCAL)
    catalog = [currency(1, "BTC", 1), currency(2, "ETH", 2), currency(3, "FAR", 300), local, merged]
    settings = read_settings(_env_file=None, tracked_top=4)
    what = tracked(catalog, settings, ranked(3, local.id, merged.id, 1, 2))
    assert what.top == {1, 2}
    assert what.named == {3, local.id, 1}
    assert what.ranks == {1: 1, 2: 2}


async def test_the_ranking_poll_stores_a_ranking_and_its_prices(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    before = await upstreams.calls()
    started_at = world.clock()
    done_at = await poll_ranking(world)
    assert done_at is not None
    assert done_at >= started_at
    assert await upstreams.calls() - before == 1
    ranking = await world.storage.last_ranking()
    assert ranking is not None
    assert (len(ranking.currency_ids), len(await world.storage.last_rates())) == (200, 200)


async def test_a_ranking_that_fails_covers_nothing(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    await upstreams.fault(path="listings", kind="malformed")
    assert await poll_ranking(world) is None
    assert await world.storage.last_ranking() is None


async def test_one_visit_serves_ranking_and_prices(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_top=200) as (world, upstreams):
        await renew_catalog(world)
        await poll_ranking(world)
        ranking = await world.storage.last_ranking()
        assert ranking is not None
        top = {one.id for one in await world.storage.catalog() if one.rank is not None and one.rank <= 200}
        before = await upstreams.calls()
        assert await poll_prices(world) is not None
        assert await upstreams.calls() - before == 1
        visit = (await world.storage.visits(limit=1))[0]
        assert visit.rates_stored == len(top - set(ranking.currency_ids))
        priced = {rate.currency_id for rate in await world.storage.last_rates()}
        assert priced == top | set(ranking.currency_ids)


def at(world: World, moment: datetime) -> World:
    return replace(world, clock=lambda: moment)


async def test_a_ranking_that_is_too_old_spares_the_price_poll_nothing(tmp_path: Path) -> None:
    now = utc_now()
    async with small_world(tmp_path, tracked_top=200, coinmarketcap_credits_per_month=0) as (world, _):
        await renew_catalog(world)
        await poll_ranking(world)
        ranking = await world.storage.last_ranking()
        assert ranking is not None
        catalog = await world.storage.catalog()
        for minutes, is_spared in ((4, True), (6, False)):
            moment = now + timedelta(minutes=minutes)
            plan = await plan_of_prices(at(world, moment), catalog)
            assert plan.what.all.isdisjoint(ranking.currency_ids) is is_spared


async def test_with_two_sources_prices_come_from_the_preferred_one_for_the_top_of_both(
    tmp_path: Path,
) -> None:
    sources = ("coinmarketcap", "cryptocompare")
    async with small_world(tmp_path, sources=sources, tracked_top=200) as (world, _):
        await renew_catalog(world)
        await poll_ranking(world)
        ranking = await world.storage.last_ranking()
        assert ranking is not None
        assert await poll_prices(world) is not None
        priced = {
            rate.currency_id: rate for rate in await world.storage.last_rates() if rate.source == sources[0]
        }
        known = {one.id for one in await world.storage.catalog() if one.kind is CurrencyKind.CRYPTO}
        assert known.intersection(ranking.currency_ids) <= priced.keys()
        assert len(known.intersection(ranking.currency_ids)) >= 198


BOTH = ("coinmarketcap", "cryptocompare")


async def test_a_newcomer_without_a_price_gets_one_once(tmp_path: Path) -> None:
    """CryptoCompare states no price of some coins, and the last price poll knew nothing of a newcomer."""
    async with small_world(tmp_path, sources=BOTH, tracked_top=200) as (world, upstreams):
        await renew_catalog(world)
        report = await visit(world)
        ids, priced = ranking_of(report).currency_ids, {one.rate.currency_id for one in report.recorded}
        newcomer, old, *_ = [one for one in ids if one not in priced]
        now = world.clock()
        before = [one for one in ids if one != newcomer]
        await world.storage.record_ranking(
            "cryptocompare", before, is_whole=False, observed_at=now, stored_at=now
        )
        assert await poll_ranking(world) is not None
        assert await upstreams.calls("quotes") == 1
        (rate,) = await world.storage.last_rates([newcomer])
        assert rate.source == "coinmarketcap"
        assert await world.storage.last_rates([old]) == []
        await world.storage.record_ranking(
            "cryptocompare", before, is_whole=False, observed_at=world.clock(), stored_at=world.clock()
        )
        assert await poll_ranking(world) is not None
        assert await world.storage.last_rates([newcomer]) == [rate]


async def test_a_ranking_is_done_where_the_newcomers_of_it_cannot_be_priced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with small_world(tmp_path, sources=BOTH, tracked_top=200) as (world, _):
        await renew_catalog(world)

        async def broken(*_: object, **__: object) -> None:
            raise StorageUnavailable

        monkeypatch.setattr(Visitor, "visit", broken)
        assert await poll_ranking(world) is not None
        assert await world.storage.last_ranking() is not None


async def test_what_a_failed_ranking_poll_stored_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with small_world(tmp_path, sources=BOTH) as (world, _):
        await renew_catalog(world)
        announced: list[Fact] = []

        async def down(*_: object, **__: object) -> None:
            raise StorageUnavailable

        async def listen(_: InProcessQueue, facts: list[Fact]) -> None:
            announced.extend(facts)

        monkeypatch.setattr(type(world.storage), "record_ranking", down)
        monkeypatch.setattr(InProcessQueue, "announce", listen)
        assert await poll_ranking(world) is None
        assert [type(fact) for fact in announced] == [CatalogStored, RatesStored]


async def test_coins_are_told_of_before_the_fiat_currencies_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with small_world(tmp_path) as (world, upstreams):
        calls_before: list[int] = []

        async def listen(_: InProcessQueue, facts: list[Fact]) -> None:
            assert [type(fact) for fact in facts] == [CatalogStored]
            calls_before.append(await upstreams.calls())

        monkeypatch.setattr(InProcessQueue, "announce", listen)
        assert await renew_catalog(world) is not None
        assert calls_before == [1, 2]


async def test_a_coin_without_a_price_in_the_ranking_is_asked_for_by_the_price_poll(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_top=200) as (world, upstreams):
        await renew_catalog(world)
        await poll_prices(world)
        await upstreams.fault(path="listings", kind="price", ids=[1], value="null")
        ranking = ranking_of(await visit(world))
        await upstreams.heal()
        what = (await plan_of_prices(world, await world.storage.catalog())).what
        assert what.all.intersection(ranking.currency_ids) == {1}
        assert await poll_prices(world) is not None
        (rate,) = await world.storage.last_rates([1])
        assert rate.fetched_at > ranking.observed_at


async def test_local_currencies_that_the_ranking_has_just_priced_cost_the_price_poll_nothing(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path, sources=BOTH, tracked_top=200) as (world, upstreams):
        await renew_catalog(world)
        await poll_ranking(world)
        catalog = await world.storage.catalog()
        local = {one.id for one in catalog if one.kind is CurrencyKind.LOCAL}
        priced = {rate.currency_id for rate in await world.storage.last_rates(local)}
        assert priced
        assert await poll_prices(world) is not None
        assert await upstreams.calls("pricemultifull") == 0
        later = at(world, world.clock() + timedelta(minutes=6))
        assert priced < (await plan_of_prices(later, catalog)).what.all


async def test_a_ranking_of_the_future_stops_no_price_poll(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_top=200) as (world, _):
        await renew_catalog(world)
        catalog, now = await world.storage.catalog(), world.clock()
        assert await poll_ranking(at(world, now)) is not None
        ranking = await world.storage.last_ranking()
        assert ranking is not None
        for seconds, is_spared in ((30, True), (90, False)):
            plan = await plan_of_prices(at(world, now - timedelta(seconds=seconds)), catalog)
            assert plan.what.all.isdisjoint(ranking.currency_ids) is is_spared


async def test_with_nothing_tracked_the_ranking_is_polled_all_the_same(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_top=0) as (world, _):
        await renew_catalog(world)
        assert await poll_ranking(world) is not None
        ranking = await world.storage.last_ranking()
        assert ranking is not None
        assert len(ranking.currency_ids) == 200


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


async def test_upkeep_deletes_the_deals_of_a_replaced_upload(world: World) -> None:
    for name in ("old.csv", "new.csv"):
        await load(world.storage, deal("anna"), deal("boris"), name=name)
    assert await keep_up(world) is not None
    assert await stored_deals(world.storage) == 2
    assert await world.storage.forget_replaced_deals() == 0


def test_job_names_are_unique_and_leases_outlast_their_work() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS)
    assert all(timedelta(seconds=30) < job.lease <= LONGEST_LEASE for job in JOBS)


def test_the_lease_of_upkeep_outlasts_the_deleting_of_deals_and_the_statements_before_it() -> None:
    assert UPKEEP.lease.total_seconds() >= FORGET_SECONDS + 3 * COMMAND_SECONDS

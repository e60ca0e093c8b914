"""What somebody asked for of late is polled beside what is tracked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.opening import World
from tests.worlds import small_world
from worker.jobs.catalog import renew_catalog
from worker.jobs.prices import poll_prices
from worker.jobs.upkeep import keep_up
from worker.pace import pace_of_prices, plan_of_prices
from worker.tracked import MOST_WARM, covered, tracked

HOUR = timedelta(hours=1)
EURO = 2790


def ids_below_the_top(catalog: Sequence[Currency]) -> list[int]:
    """By rank, of a top of 20."""
    return [one.id for one in catalog if one.rank is not None and one.rank > 20]


async def ask(world: World, *currency_ids: int, at: datetime | None = None) -> None:
    await world.storage.record_demand(dict.fromkeys(currency_ids, at or world.clock()))


async def test_what_is_in_demand_is_polled_too_and_by_its_quotes(world: World) -> None:
    await renew_catalog(world)
    far, *_ = reversed(ids_below_the_top(await world.storage.catalog()))
    await ask(world, far, 1)
    assert await poll_prices(world) is not None
    priced = {rate.currency_id for rate in await world.storage.last_rates()}
    assert len(priced) == 21
    assert far in priced


async def test_demand_older_than_the_hours_that_it_keeps_warm_is_over(world: World) -> None:
    await renew_catalog(world)
    catalog = await world.storage.catalog()
    young, old, *_ = ids_below_the_top(catalog)
    await ask(world, young, at=world.clock() - 23 * HOUR)
    await ask(world, old, at=world.clock() - 25 * HOUR)
    what = await covered(world, catalog, None)
    assert what.named == {young}


async def test_demand_of_a_clock_that_was_far_ahead_keeps_nothing_warm(world: World) -> None:
    await renew_catalog(world)
    catalog = await world.storage.catalog()
    near, far, *_ = ids_below_the_top(catalog)
    await ask(world, near, at=world.clock() + timedelta(seconds=30))
    await ask(world, far, at=world.clock() + HOUR)
    assert (await covered(world, catalog, None)).named == {near}


async def test_with_no_hours_nothing_is_kept_warm(tmp_path: Path) -> None:
    async with small_world(tmp_path, warm_hours=0) as (world, _):
        await renew_catalog(world)
        catalog = await world.storage.catalog()
        await ask(world, *ids_below_the_top(catalog)[:5])
        assert await covered(world, catalog, None) == tracked(catalog, world.settings, None)


async def test_fiat_currencies_and_inactive_ones_are_never_warm(world: World) -> None:
    await renew_catalog(world)
    gone = Currency(id=999_999, name="Gone", symbol="GONE", slug="gone", rank=None, is_active=False)
    await world.storage.add_currencies([CatalogEntry(gone, CurrencyMetadata())], stored_at=world.clock())
    catalog = await world.storage.catalog()
    await ask(world, EURO, gone.id)
    assert (await covered(world, catalog, None)).named == frozenset()


async def test_at_most_so_many_are_warm_beside_all_that_are_tracked_and_the_last_asked_for_win(
    world: World,
) -> None:
    """However many are asked for that are polled anyhow, or never."""
    now = world.clock()
    await renew_catalog(world)
    await world.storage.add_currencies(
        [
            CatalogEntry(
                Currency(
                    id=100_000 + n, name=f"N{n}", symbol=f"N{n}", slug=f"n{n}", rank=None, is_active=True
                ),
                CurrencyMetadata(),
            )
            for n in range(MOST_WARM + 10)
        ],
        stored_at=now,
    )
    catalog = await world.storage.catalog()
    what = tracked(catalog, world.settings, None)
    never = [one.id for one in catalog if one.kind is CurrencyKind.FIAT]
    new = [one.id for one in catalog if one.id >= 100_000]
    await ask(world, *new[:10], at=now - 2 * HOUR)
    await ask(world, *new[10:], at=now - HOUR)
    await ask(world, *what.all, *never, at=now)
    assert (await covered(world, catalog, None)).named == frozenset(new[10:])


async def test_warm_currencies_are_counted_in_the_pace(tmp_path: Path) -> None:
    async with small_world(tmp_path, coinmarketcap_credits_per_month=100) as (world, _):
        await renew_catalog(world)
        before = await pace_of_prices(world)
        await ask(world, *ids_below_the_top(await world.storage.catalog())[300:400])
        assert await pace_of_prices(world) > 1.4 * before


async def test_what_a_ranking_has_just_brought_is_left_out_though_it_is_warm(world: World) -> None:
    await renew_catalog(world)
    catalog = await world.storage.catalog()
    far, *_ = ids_below_the_top(catalog)
    await ask(world, far)
    now = world.clock()
    assert await poll_prices(world) is not None
    await world.storage.record_ranking("coinmarketcap", [far], is_whole=False, observed_at=now, stored_at=now)
    assert far not in (await plan_of_prices(world, catalog)).what.all


async def test_upkeep_forgets_demand_that_can_keep_nothing_warm_any_more(world: World) -> None:
    await renew_catalog(world)
    now = world.clock()
    await ask(world, 1, at=now - timedelta(days=31))
    await ask(world, 1027, at=now - timedelta(days=29))
    assert await keep_up(world) is not None
    assert await world.storage.in_demand_since(now - timedelta(days=365), limit=10) == [1027]


async def test_the_longest_that_may_be_asked_for_stays_warm(tmp_path: Path) -> None:
    async with small_world(tmp_path, warm_hours=720) as (world, _):
        await renew_catalog(world)
        catalog = await world.storage.catalog()
        far, *_ = ids_below_the_top(catalog)
        await ask(world, far, at=world.clock() - 719 * HOUR)
        assert await keep_up(world) is not None
        assert far in (await covered(world, catalog, None)).all

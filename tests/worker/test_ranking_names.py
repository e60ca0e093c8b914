"""Which currencies the coins of a ranking are, on the real parts."""

from datetime import timedelta
from pathlib import Path

from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.identity import DecidedBy, Identity, SourceCoin
from shared.domain.visit import VisitReason
from shared.messages import CatalogStored, RankingStored, RatesStored
from shared.opening import World
from simulator.coins import load_coins
from tests.worker.rankings import COINS, ranking_of, visit
from tests.worlds import Upstreams, small_world


def _entries(*without: int) -> list[CatalogEntry]:
    return [
        CatalogEntry(
            Currency(
                id=coin.id, name=coin.name, symbol=coin.symbol, slug=coin.slug, rank=rank, is_active=True
            ),
            CurrencyMetadata(),
        )
        for rank, coin in enumerate(load_coins(COINS), 1)
        if coin.id not in without
    ]


async def test_a_coin_that_the_catalog_lacks_is_local_until_it_is_listed(tmp_path: Path) -> None:
    async with small_world(tmp_path, sources=("coinmarketcap", "cryptocompare")) as (world, _):
        await world.storage.record_catalog(CurrencyKind.CRYPTO, _entries(1839), stored_at=world.clock())
        before = await visit(world)
        local = next(iter((await _locals(world, "BNB")).values()))
        assert [type(fact) for fact in before.facts()] == [CatalogStored, RatesStored, RankingStored]
        assert local in ranking_of(before).currency_ids
        assert local in {one.rate.currency_id for one in before.recorded}
        again = await visit(world)
        assert (again.catalog, local in ranking_of(again).currency_ids) == (None, True)
        await world.storage.record_catalog(CurrencyKind.CRYPTO, _entries(), stored_at=world.clock())
        after = await visit(world)
        assert after.catalog is not None
        places = [
            ranking_of(report).currency_ids.index(one) for report, one in ((again, local), (after, 1839))
        ]
        assert abs(places[0] - places[1]) <= 1
        assert local not in ranking_of(after).currency_ids
        detail = await world.storage.currency(local)
        assert detail is not None
        assert (detail.merged_into, detail.currency.is_active) == (1839, False)
        assert (await visit(world)).catalog is None


async def _locals(world: World, symbol: str) -> dict[str, int]:
    """Local currencies of a symbol, by what they were called."""
    catalog = await world.storage.catalog()
    return {one.name: one.id for one in catalog if one.kind is CurrencyKind.LOCAL and one.symbol == symbol}


async def test_prices_decide_where_names_do_not(both: tuple[World, Upstreams]) -> None:
    world, _ = both
    await visit(world, 5000)
    local = (await _locals(world, "BTT"))["BitTorrent"]
    catalog = await world.storage.catalog()
    best = next(one for one in catalog if one.symbol == "BTT" and one.kind is CurrencyKind.CRYPTO)
    await world.visitor.visit(
        [best.id], reason=VisitReason.POLL, asked_at=world.clock(), time_left=timedelta(seconds=10)
    )
    report = await visit(world, 5000)
    assert report.catalog is not None
    assert best.id in ranking_of(report).currency_ids
    detail = await world.storage.currency(local)
    assert detail is not None
    assert detail.merged_into == best.id


async def test_a_coin_listed_since_the_catalog_was_renewed_is_added(tmp_path: Path) -> None:
    async with small_world(tmp_path) as (world, _):
        await world.storage.record_catalog(CurrencyKind.CRYPTO, _entries(1839), stored_at=world.clock())
        report = await visit(world)
        assert 1839 in ranking_of(report).currency_ids
        (added,) = (one for one in await world.storage.catalog() if one.id == 1839)
        assert (added.symbol, added.rank, added.is_active, added.kind) == (
            "BNB",
            None,
            True,
            CurrencyKind.CRYPTO,
        )
        assert report.catalog == CatalogStored(currencies=len(await world.storage.catalog()))
        assert (await visit(world)).catalog is None


async def test_a_symbol_that_the_source_changed_is_known_after_the_next_visit(
    both: tuple[World, Upstreams],
) -> None:
    world, _ = both
    await visit(world)
    (source_id,) = (
        one for one, currency_id in (await world.storage.aliases("cryptocompare")).items() if currency_id == 1
    )
    detail = await world.storage.currency(1)
    assert detail is not None
    stale = detail.aliases[0]
    coin = SourceCoin(source_id=source_id, symbol="XBT", name="Bitcoin")
    await world.storage.record_identities(
        "cryptocompare", [Identity(coin, 1, DecidedBy.HAND)], decided_at=world.clock()
    )
    assert await world.storage.symbols("cryptocompare", [1]) == {1: "XBT"}
    await visit(world)
    assert await world.storage.symbols("cryptocompare", [1]) == {1: "BTC"}
    detail = await world.storage.currency(1)
    assert detail is not None
    assert detail.aliases[0] == stale

"""Which currencies the coins of a ranking are, on the real parts."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from shared.domain.currency import FIRST_LOCAL_ID, CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.identity import DecidedBy, Identity, SourceCoin
from shared.domain.ranking import RankedCoin
from shared.domain.rate import MAX_AHEAD, StatedPrice
from shared.domain.visit import VisitReason
from shared.messages import CatalogStored, RankingStored, RatesStored
from shared.opening import World
from shared.ports import RankingSource, Storage
from shared.settings import Settings
from shared.storage import open_storage
from shared.storage.sql_storage import SqlStorage
from simulator.coins import load_coins
from tests.contract.storage.samples import NOW, SECOND, load_currencies, observation
from tests.servers import sqlite_url
from tests.worker.rankings import COINS, ranking_of, visit
from tests.worlds import Upstreams, small_world
from worker.ranking_names import Namer, Names


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
        "cryptocompare", [Identity(coin, 1, DecidedBy.NONE)], decided_at=world.clock()
    )
    assert await world.storage.symbols("cryptocompare", [1]) == {1: "XBT"}
    await visit(world)
    assert await world.storage.symbols("cryptocompare", [1]) == {1: "BTC"}
    detail = await world.storage.currency(1)
    assert detail is not None
    assert detail.aliases[0] == stale


@dataclass(frozen=True)
class Table:
    """What the naming of coins asks of a source: ids of its own, and a hand table."""

    name: str = "cryptocompare"
    has_own_ids: bool = True
    oldest_observation: timedelta = timedelta(hours=3)
    by_hand: Mapping[str, int] = field(default_factory=dict)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    opened = await open_storage(Settings(database_url=sqlite_url(tmp_path / "freshrate.db")))
    await load_currencies(opened, 9)
    yield opened
    await opened.close()


def ranked(source_id: str, symbol: str, name: str, price: str = "1", *, at: datetime = NOW) -> RankedCoin:
    stated = StatedPrice(price_usd=Decimal(price), observed_at=at)
    return RankedCoin(source_id=source_id, symbol=symbol, name=name, price=stated)


async def named(storage: Storage, *coins: RankedCoin, by_hand: Mapping[str, int] | None = None) -> Names:
    return await (await namer(storage, by_hand)).names_of(coins)


async def namer(storage: Storage, by_hand: Mapping[str, int] | None = None) -> Namer:
    source = cast("RankingSource", Table(by_hand=by_hand or {}))
    return Namer(source=source, catalog=await storage.catalog(), storage=storage, clock=lambda: NOW)


RIGHT, WRONG = ranked("20", "C1*", "The Right One"), ranked("10", "C1", "Coin 1")


async def test_a_correction_in_the_hand_table_reaches_what_was_decided(storage: Storage) -> None:
    assert (await named(storage, WRONG)).currency_ids == {"10": 1}
    before = await named(storage, WRONG, RIGHT)
    assert before.currency_ids == {"10": 1, "20": FIRST_LOCAL_ID}
    for changed in (True, False):
        corrected = await named(storage, WRONG, RIGHT, by_hand={"20": 1, "10": 2})
        assert corrected == Names({"10": 2, "20": 1}, is_catalog_changed=changed)
    assert await storage.symbols("cryptocompare", [1, 2]) == {1: "C1*", 2: "C1"}


async def test_the_coin_that_the_hand_table_takes_a_currency_from_is_decided_anew(storage: Storage) -> None:
    await named(storage, WRONG, RIGHT)
    for changed in (True, False):
        corrected = await named(storage, WRONG, RIGHT, by_hand={"20": 1})
        assert corrected == Names({"10": FIRST_LOCAL_ID + 1, "20": 1}, is_catalog_changed=changed)


async def test_a_coin_that_is_not_ranked_now_gives_way_too(storage: Storage) -> None:
    await named(storage, WRONG)
    assert (await named(storage, RIGHT, by_hand={"20": 1})).currency_ids["20"] == 1
    assert await storage.aliases("cryptocompare") == {"20": 1}
    assert (await named(storage, WRONG, RIGHT, by_hand={"20": 1})).currency_ids == {
        "10": FIRST_LOCAL_ID,
        "20": 1,
    }


async def test_a_correction_to_a_currency_that_no_coin_was_takes_none_away(storage: Storage) -> None:
    await named(storage, WRONG, RIGHT)
    corrected = await named(storage, WRONG, RIGHT, by_hand={"10": 3})
    assert corrected.currency_ids == {"10": 3, "20": FIRST_LOCAL_ID}
    assert await storage.aliases("cryptocompare") == corrected.currency_ids


async def test_of_two_coins_that_were_one_currency_the_hand_table_keeps_its_own(storage: Storage) -> None:
    """Such a database is from before one currency was given once."""
    assert isinstance(storage, SqlStorage)
    await named(storage, WRONG, RIGHT)
    await storage._engine.execute("UPDATE currency_aliases SET currency_id = 1")
    mended = await named(storage, WRONG, RIGHT, by_hand={"20": 1})
    assert mended.currency_ids == {"10": FIRST_LOCAL_ID + 1, "20": 1}
    assert await storage.aliases("cryptocompare") == mended.currency_ids


async def test_a_line_for_a_currency_that_the_catalog_lacks_corrects_nothing(storage: Storage) -> None:
    await named(storage, WRONG)
    assert (await named(storage, WRONG, by_hand={"10": 77})).currency_ids == {"10": 1}


async def test_a_poll_and_a_refresh_at_once_give_no_currency_to_two_coins(storage: Storage) -> None:
    """The poll sees one coin, with a price that fits; the refresh sees also the one that has the name."""
    given = observation(1, price="1", at=NOW)
    await storage.record_rates([given], fetched_at=NOW, stored_at=NOW)
    by_price, by_name = ranked("x", "C1", "Something Else", "1.01"), ranked("y", "C1*", "Coin 1", "9")
    poll, refresh = await namer(storage), await namer(storage)
    first, second = await asyncio.gather(poll.names_of([by_price]), refresh.names_of([by_price, by_name]))
    aliases = await storage.aliases("cryptocompare")
    assert sorted(aliases) == ["x", "y"]
    assert len(set(aliases.values())) == 2
    assert second.currency_ids == aliases
    assert first.currency_ids["x"] == aliases["x"]


async def test_a_local_coin_that_its_source_renames_is_asked_for_by_its_new_symbol(storage: Storage) -> None:
    local = (await named(storage, ranked("30", "FOO", "Foo Coin"))).currency_ids["30"]
    renamed = await named(storage, ranked("30", "BAR", "Foo Coin"))
    assert renamed == Names({"30": local}, is_catalog_changed=False)
    assert await storage.symbols("cryptocompare", [local]) == {local: "BAR"}


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("fetched", "stated", "source", "is_told"),
    [
        (-HOUR, -3 * HOUR, "coinmarketcap", True),
        (-HOUR - SECOND, timedelta(0), "coinmarketcap", False),
        (24 * HOUR, timedelta(0), "coinmarketcap", False),
        (timedelta(0), -3 * HOUR - SECOND, "coinmarketcap", False),
        (timedelta(0), 2 * MAX_AHEAD, "coinmarketcap", False),
        # That was the price of another coin, which this source called so before.
        (timedelta(0), timedelta(0), "cryptocompare", False),
    ],
)
async def test_only_prices_of_now_tell_coins_apart(
    storage: Storage, fetched: timedelta, stated: timedelta, source: str, *, is_told: bool
) -> None:
    given = observation(5, price="1", at=NOW - 2 * HOUR, source=source)
    await storage.record_rates([given], fetched_at=NOW + fetched, stored_at=NOW)
    names = await named(storage, ranked("40", "C5", "Another Name", "1.05", at=NOW + stated))
    assert names.currency_ids == {"40": 5 if is_told else FIRST_LOCAL_ID}

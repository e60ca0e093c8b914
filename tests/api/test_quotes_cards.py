"""What an answer with quotes tells of each currency besides its prices."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from api.quotes import cards
from shared.domain.currency import CurrencyKind, CurrencyProfile
from shared.domain.identity import DecidedBy
from shared.errors import StorageUnavailable
from tests.api.quotes import (
    BTC,
    DUP,
    DUP_UNRANKED,
    ETH,
    EUR,
    PATH,
    open_market,
    renew_catalog,
    trade,
)
from tests.api.rig import COINS, START, Rig, coin, observed, until
from tests.api.test_merged import decide

PROFILE = CurrencyProfile(
    circulating_supply=Decimal("19987654.5"),
    max_supply=Decimal(21000000),
    tags=("mineable", "pow"),
    links={"website": ("https://bitcoin.org/",)},
)


@pytest.fixture
async def market(rig: Rig) -> Rig:
    await open_market(rig)
    await trade(rig)
    return rig


async def test_what_is_told_of_a_currency_is_read_once_until_the_catalog_changes(
    market: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, read = market.storage.descriptions, []

    async def counted(currency_ids: Any) -> Any:
        read.append(sorted(currency_ids))
        return await original(currency_ids)

    monkeypatch.setattr(market.storage, "descriptions", counted)
    for _ in range(3):
        await market.get(f"{PATH}?symbol=BTC,ETH")
        await market.get(f"{PATH}?symbol=ETH,DUP")
    assert read == [[BTC, ETH], [DUP]]
    await market.storage.record_profiles({BTC: PROFILE}, profiled_at=market.clock())
    await renew_catalog(market)
    body = await market.get(f"{PATH}?symbol=BTC")
    assert body["results"][0]["tags"] == ["mineable", "pow"]
    assert read == [[BTC, ETH], [DUP], [BTC]]


async def test_without_the_store_a_currency_says_what_memory_knows_and_that_is_not_kept(
    market: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_ids: Any) -> Any:
        raise StorageUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(market.storage, "descriptions", away)
        (row,) = (await market.get(f"{PATH}?symbol=BTC"))["results"]
    assert (row["name"], row["rank"], row["first_seen"], row["tags"], row["links"]) == (
        "Bitcoin",
        1,
        None,
        [],
        {},
    )
    (row,) = (await market.get(f"{PATH}?symbol=BTC"))["results"]
    assert row["first_seen"] == "2010-07-13T00:00:00.000Z"


async def test_what_is_told_is_kept_within_a_bound(market: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = market.api.quotes.cards
    await market.get(f"{PATH}?symbol=BTC,ETH,DUP,EUR")
    assert (len(kept), kept.bytes) == (4, sum(len(one.body) for one in kept._cards.values()))
    monkeypatch.setattr(cards, "LARGEST_CACHE", kept.bytes)
    await market.get(f"{PATH}?symbol=RUB&convert=RUB")
    assert (list(kept._cards)[-1], BTC in kept._cards) == (2806, False)
    assert kept.bytes == sum(len(one.body) for one in kept._cards.values()) <= cards.LARGEST_CACHE


async def test_names_that_change_in_the_catalog_change_in_ready_answers(market: Rig) -> None:
    for _ in range(2):
        assert "Bitcoin" in (await market.get(f"{PATH}?symbol=BTC"))["results"][0]["name"]
    renamed = coin(BTC, "BTC", 1, "Bitcoin Classic Coke")
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (renamed, *COINS[1:]), stored_at=START)
    await renew_catalog(market)
    for _ in range(2):
        assert (await market.get(f"{PATH}?symbol=BTC"))["results"][0]["name"] == "Bitcoin Classic Coke"


async def test_a_symbol_that_goes_to_another_currency_takes_ready_answers_with_it(market: Rig) -> None:
    for _ in range(2):
        assert (await market.get(f"{PATH}?symbol=DUP"))["results"][0]["id"] == DUP
    better = coin(DUP_UNRANKED, "DUP", 3)
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (*COINS[:3], better), stored_at=START)
    await renew_catalog(market)
    for _ in range(3):
        body = await market.get(f"{PATH}?symbol=DUP")
        assert (body["results"][0]["id"], body["results"][0]["also"]) == (DUP_UNRANKED, [DUP])


async def test_a_merged_currency_answers_as_its_successor(market: Rig) -> None:
    local = await decide(market, None, DecidedBy.NONE)
    await until(lambda: market.api.catalog.get(local))
    await market.store(observed(local, "3", observed_at=START))
    path = f"{PATH}?id={local}"
    for _ in range(2):
        assert (await market.get(path))["results"][0]["id"] == local
    await decide(market, ETH, DecidedBy.SYMBOL_AND_NAME)
    await until(lambda: local in market.api.catalog.merged())
    body = await market.get(f"{path},{ETH}&convert_id={local},{BTC}")
    assert [row["id"] for row in body["results"]] == [ETH]
    assert [one["currency"] for one in body["results"][0]["quotes"]] == [ETH, BTC]
    assert (await market.get(path))["results"][0]["id"] == ETH


async def test_who_waits_while_the_catalog_changes_leaves_no_old_name_behind(market: Rig) -> None:
    market.worker.hold.clear()
    late = asyncio.create_task(market.get(f"{PATH}?symbol=DUP,BTC"))
    await until(lambda: market.worker.commands)
    renamed = coin(BTC, "BTC", 1, "Renamed")
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (renamed, *COINS[1:]), stored_at=START)
    await renew_catalog(market)
    market.worker.hold.set()
    bodies = [await late, *[await market.get(f"{PATH}?symbol=BTC") for _ in range(2)]]
    assert [row["name"] for body in bodies for row in body["results"] if row["id"] == BTC] == ["Renamed"] * 3


async def test_many_who_lack_the_same_cost_one_reading(market: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    original, read = market.storage.descriptions, []

    async def slow(currency_ids: Any) -> Any:
        read.append(sorted(currency_ids))
        await until(lambda: len(market.api.quotes.cards._readings) == 3)
        return await original(currency_ids)

    monkeypatch.setattr(market.storage, "descriptions", slow)
    rows = await asyncio.gather(
        *(market.get(f"{PATH}?symbol=BTC,EUR&amount={one}") for one in range(20)),
        *(market.get(f"{PATH}?symbol=BTC,ETH&amount={one}") for one in range(20)),
    )
    assert sorted(read) == [[BTC, EUR], [ETH]]
    assert all(row["first_seen"] or row["sign"] for body in rows for row in body["results"])


async def test_what_was_read_for_a_catalog_that_is_past_is_not_kept(
    market: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, reads, first = market.storage.descriptions, [], asyncio.Event()

    async def slow(currency_ids: Any) -> Any:
        told = await original(currency_ids)
        reads.append(1)
        if len(reads) == 1:
            await first.wait()
        return told

    monkeypatch.setattr(market.storage, "descriptions", slow)
    late = asyncio.create_task(market.get(f"{PATH}?symbol=BTC"))
    await until(lambda: reads)
    await market.storage.record_profiles({BTC: PROFILE}, profiled_at=market.clock())
    await renew_catalog(market)
    for _ in range(2):
        assert (await market.get(f"{PATH}?symbol=BTC"))["results"][0]["tags"]
        first.set()
        await late
    assert len(reads) == 2


async def test_a_symbol_that_changes_in_the_catalog_changes_in_what_is_encoded_of_its_rate(
    market: Rig,
) -> None:
    path = f"{PATH}?id=1&convert_id={ETH}"
    for _ in range(2):
        assert (await market.get(path))["results"][0]["quotes"][0]["symbol"] == "ETH"
    renamed = coin(ETH, "WETH", 2)
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (COINS[0], renamed, *COINS[2:]), stored_at=START)
    await renew_catalog(market)
    for _ in range(2):
        (quote,) = (await market.get(path))["results"][0]["quotes"]
        assert (quote["symbol"], quote["path"][1]["pair"]) == ("WETH", "USD/WETH")

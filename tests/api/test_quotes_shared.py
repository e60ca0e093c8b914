"""Many who ask for quotes at once share what they need."""

import asyncio

import pytest

from tests.api.quotes import (
    BTC,
    DUP,
    DUP_UNRANKED,
    ETH,
    EUR,
    STORE,
    UPSTREAM,
    Counted,
    asked,
    open_market,
    prices,
    trade,
    way,
)
from tests.api.rig import Rig, until


@pytest.fixture
async def market(rig: Rig) -> Rig:
    return await open_market(rig)


@pytest.fixture
def counted(market: Rig, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(market, monkeypatch)


async def test_all_that_is_missing_is_asked_for_by_one_command(market: Rig, counted: Counted) -> None:
    await trade(market, EUR)
    found = await prices(market, "id=1,1027,5,6&convert=EUR,BTC")
    assert len(found) == 6  # two of the four have one symbol
    assert (counted.reads, asked(market)) == (
        [[BTC, DUP, DUP_UNRANKED, ETH]],
        [[BTC, DUP, DUP_UNRANKED, ETH]],
    )


async def test_requests_that_overlap_share_what_they_both_need(market: Rig) -> None:
    market.worker.hold.clear()
    first = asyncio.create_task(way(market, "symbol=BTC,ETH"))
    await until(lambda: market.worker.commands)
    second = asyncio.create_task(way(market, "symbol=ETH&convert=BTC"))
    third = asyncio.create_task(way(market, "symbol=ETH,DUP"))
    await until(lambda: len(market.api.refresher._flights) == 3)
    market.worker.hold.set()
    assert set(await asyncio.gather(first, second, third)) == {UPSTREAM}
    assert asked(market) == [[BTC, ETH], [DUP]]


async def test_many_who_ask_at_once_cost_one_read_and_one_command(market: Rig, counted: Counted) -> None:
    assert (
        await asyncio.gather(*(way(market, "symbol=BTC&convert=ETH") for _ in range(20))) == [UPSTREAM] * 20
    )
    assert asked(market) == [[BTC, ETH]]
    assert len(counted.reads) <= 2  # those who come during a read share the next
    await market.advance(seconds=60)
    reads = len(counted.reads)
    assert await asyncio.gather(*(way(market, "symbol=BTC") for _ in range(20))) == [STORE] * 20
    assert len(counted.reads) <= reads + 2

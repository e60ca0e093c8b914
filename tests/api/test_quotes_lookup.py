"""Where the rates of quotes come from: memory for a minute, then the store, then the source; one rule a test, on both kinds
of servers."""

from typing import Any

import pytest

from shared.domain.visit import FailureKind
from tests.api.quotes import (
    BTC,
    BTC_USD,
    ETH,
    EUR,
    HIT,
    PATH,
    STORE,
    UPSTREAM,
    Counted,
    asked,
    open_market,
    prices,
    quotes,
    trade,
    way,
)
from tests.api.rig import START, Rig, observed, recorded


@pytest.fixture(params=["sqlite and in-process", "postgresql and redis"])
def servers(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "sqlite and in-process":
        return {}
    return {
        "database_url": request.getfixturevalue("postgresql_url"),
        "redis_url": request.getfixturevalue("redis_url"),
    }


@pytest.fixture
async def market(rig: Rig) -> Rig:
    return await open_market(rig)


@pytest.fixture
def counted(market: Rig, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(market, monkeypatch)


# The order of look-up


async def test_what_a_fact_brought_is_a_hit_for_a_minute(market: Rig, counted: Counted) -> None:
    await trade(market)
    for _ in range(2):
        assert await way(market, "symbol=BTC&convert=EUR,ETH,USD") == HIT
        await market.advance(seconds=29)
    assert (counted.reads, asked(market)) == ([], [])


async def test_after_a_minute_the_store_is_read_and_its_value_is_a_hit_for_another_minute(
    market: Rig, counted: Counted
) -> None:
    await trade(market, BTC, EUR)
    await market.advance(seconds=60)
    assert await way(market, "symbol=BTC&convert=EUR") == STORE
    assert counted.reads == [[BTC, EUR]]
    await market.advance(seconds=59)
    assert await way(market, "symbol=BTC&convert=EUR") == HIT
    await market.advance(seconds=1)
    assert await way(market, "symbol=BTC") == STORE
    assert (counted.reads, asked(market)) == ([[BTC, EUR], [BTC]], [])


async def test_the_store_is_good_at_any_age_which_is_told(market: Rig) -> None:
    await recorded(market.storage, observed(BTC, "7", observed_at=START), fetched_at=START)
    await market.advance(days=3)
    (quote,) = (await quotes(market, "symbol=BTC")).values()
    assert (quote["price"], quote["age"], quote["stale"]) == ("7", 3 * 86_400, True)
    assert asked(market) == []


async def test_what_the_store_lacks_comes_from_the_source_and_is_a_hit_for_a_minute(
    market: Rig, counted: Counted
) -> None:
    assert await way(market, "symbol=BTC") == UPSTREAM
    assert counted.reads == [[BTC]]
    await market.advance(seconds=59)
    assert await way(market, "symbol=BTC") == HIT
    await market.advance(seconds=1)
    assert await way(market, "symbol=BTC") == STORE
    assert asked(market) == [[BTC]]


async def test_a_fresh_rate_is_stored_before_it_is_answered(market: Rig) -> None:
    (price,) = (await prices(market, "symbol=BTC")).values()
    (stored,) = await market.storage.last_rates([BTC])
    assert stored.price_usd == price


async def test_the_longest_way_of_all_rates_is_told(market: Rig) -> None:
    await trade(market, BTC)
    await market.advance(seconds=30)
    await trade(market, EUR)
    await market.advance(seconds=30)
    assert await way(market, "symbol=EUR") == HIT
    assert await way(market, "symbol=EUR&convert=BTC") == STORE
    assert await way(market, "symbol=EUR&convert=BTC,ETH") == UPSTREAM
    assert asked(market) == [[ETH]]


async def test_an_error_is_never_kept(market: Rig) -> None:
    market.worker.failure = FailureKind.VISITED
    for _ in range(2):
        body = await market.get(f"{PATH}?symbol=BTC", status=502)
        assert body["type"] == "/problems/source-failed"
    market.worker.failure = None
    assert await way(market, "symbol=BTC") == UPSTREAM
    assert asked(market) == [[BTC]] * 3


async def test_that_the_store_has_nothing_is_known_for_a_minute(market: Rig, counted: Counted) -> None:
    market.worker.failure = FailureKind.VISITED
    for _ in range(2):
        await market.get(f"{PATH}?symbol=BTC", status=502)
        await market.advance(seconds=30)
    assert counted.reads == [[BTC]]
    await market.get(f"{PATH}?symbol=BTC", status=502)
    assert counted.reads == [[BTC], [BTC]]


async def test_a_fact_takes_the_place_of_what_is_kept_at_once(market: Rig) -> None:
    await trade(market)
    query = "symbol=BTC&convert=USD,EUR"
    before = await prices(market, query)
    await market.advance(seconds=1)
    await market.store(observed(BTC, "7", observed_at=market.clock()))
    after = await prices(market, query)
    assert (str(before["BTC", "USD"]), str(after["BTC", "USD"])) == (BTC_USD, "7")
    assert after["BTC", "EUR"] != before["BTC", "EUR"]
    assert asked(market) == []


async def test_a_conversion_is_computed_anew_when_only_the_target_moves(market: Rig) -> None:
    await trade(market)
    before = await prices(market, "symbol=BTC&convert=ETH")
    await market.advance(seconds=1)
    await market.store(observed(ETH, "1", observed_at=market.clock()))
    after = await prices(market, "symbol=BTC&convert=ETH")
    assert before != after
    assert str(after["BTC", "ETH"]) == BTC_USD

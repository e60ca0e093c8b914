"""Quotes that are not older than a client wants."""

import pytest

from shared.domain.visit import FailureKind
from shared.errors import QueueUnavailable
from tests.api.conftest import StartRig
from tests.api.quotes import (
    BTC,
    ETH,
    EUR,
    HIT,
    PATH,
    STORE,
    UPSTREAM,
    Counted,
    asked,
    open_market,
    quotes,
    trade,
    way,
)
from tests.api.rig import Rig, observed, recorded


@pytest.fixture
async def market(rig: Rig) -> Rig:
    return await open_market(rig)


@pytest.fixture
def counted(market: Rig, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(market, monkeypatch)


async def test_a_rate_fetched_within_max_age_counts_in_memory(market: Rig, counted: Counted) -> None:
    await trade(market)
    await market.advance(seconds=30)
    assert await way(market, "symbol=BTC&convert=EUR&max_age=30") == HIT
    assert (counted.reads, asked(market)) == ([], [])


async def test_a_rate_fetched_within_max_age_counts_in_the_store(market: Rig, counted: Counted) -> None:
    await trade(market, BTC, EUR)
    await market.advance(seconds=40)
    await recorded(market.storage, observed(BTC, "8", observed_at=market.clock()), fetched_at=market.clock())
    assert await way(market, "symbol=BTC&max_age=10") == STORE
    assert (counted.reads, asked(market)) == ([[BTC]], [])


async def test_what_is_older_than_max_age_is_asked_for_all_legs(market: Rig) -> None:
    await trade(market)
    await market.advance(seconds=31)
    found = await quotes(market, "symbol=BTC&convert=EUR&max_age=30")
    assert [leg["age"] for leg in found["BTC", "EUR"]["path"]] == [0, 0]
    assert asked(market) == [[BTC, EUR]]


async def test_max_age_zero_always_asks(market: Rig, counted: Counted) -> None:
    await trade(market)
    for _ in range(2):
        assert await way(market, "symbol=BTC&max_age=0") == UPSTREAM
    assert (counted.reads, asked(market)) == ([], [[BTC], [BTC]])


async def test_what_could_not_be_renewed_for_max_age_is_what_is_known_and_stale(market: Rig) -> None:
    await trade(market)
    await market.advance(seconds=5)
    market.worker.cannot_price = {ETH}
    found = await quotes(market, "symbol=BTC,ETH&max_age=0")
    assert found["BTC", "USD"]["age"] == 0
    old = found["ETH", "USD"]
    assert (old["age"], old["stale"], found["BTC", "USD"]["stale"]) == (5, True, False)
    assert old["price"] is not None


async def test_what_was_never_known_and_cannot_be_had_has_no_price_beside_what_can(market: Rig) -> None:
    await trade(market, BTC)
    market.worker.cannot_price = {ETH}
    found = await quotes(market, "symbol=BTC,ETH&max_age=0")
    assert found["BTC", "USD"]["age"] == 0
    assert found["ETH", "USD"] == {
        "currency": 2781,
        "symbol": "USD",
        "price": None,
        "actual_date": None,
        "age": None,
        "stale": True,
        "path": [],
    }


async def test_where_the_source_is_left_alone_what_is_known_is_stale_and_not_from_upstream(
    market: Rig,
) -> None:
    await trade(market, BTC)
    await market.advance(seconds=5)
    market.worker.failure = FailureKind.NOT_TRIED
    status, headers = await market.headers(f"{PATH}?symbol=BTC&max_age=0")
    assert (status, headers["Cache-Status"], headers["Freshrate-Stale"], headers["Age"]) == (
        200,
        "freshrate; hit; detail=stale",
        "true",
        "5",
    )


async def test_where_nobody_can_be_asked_max_age_is_a_failure(market: Rig) -> None:
    await trade(market, BTC)
    market.api.refresher.lose_queue(QueueUnavailable())
    assert (await market.headers(f"{PATH}?symbol=BTC&max_age=0"))[0] == 503
    assert (await market.headers(f"{PATH}?symbol=BTC"))[0] == 200


async def test_past_the_limit_what_needs_no_worker_is_answered_beside_what_does(start: StartRig) -> None:
    rig = await open_market(await start(refreshes_per_minute=1))
    await trade(rig, BTC)
    await rig.get(f"{PATH}?symbol=BTC&max_age=0")
    found = await quotes(rig, "symbol=BTC,ETH")
    assert found["BTC", "USD"]["price"] is not None
    assert found["ETH", "USD"]["price"] is None
    assert (await rig.headers(f"{PATH}?symbol=ETH"))[0] == 429
    assert (await rig.headers(f"{PATH}?symbol=BTC&max_age=0"))[0] == 429
    body = await rig.get(f"{PATH}?symbol=BTC,NOSUCH")
    assert body["unknown"] == ["NOSUCH"]
    assert (await rig.headers(f"{PATH}?symbol=NOSUCH"))[0] == 429


async def test_answers_with_max_age_are_stored_by_nobody(market: Rig) -> None:
    await trade(market)
    for query, said in (("", "no-cache"), ("&max_age=60", "no-store"), ("&max_age=0", "no-store")):
        _, headers = await market.headers(f"{PATH}?symbol=BTC{query}")
        assert headers["Cache-Control"] == said
    _, headers = await market.headers(f"{PATH}?symbol=DUP")
    assert (headers["Cache-Status"], headers["Cache-Control"]) == (UPSTREAM, "no-store")

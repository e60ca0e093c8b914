"""Quotes where something cannot be had."""

import asyncio

import pytest

from shared.domain.visit import FailureKind
from shared.errors import QueueUnavailable
from tests.api.conftest import StartRig
from tests.api.quotes import (
    BTC,
    BTC_USD,
    ETH,
    EUR,
    HIT,
    PATH,
    STALE_HIT,
    STORE,
    UPSTREAM,
    Counted,
    asked,
    open_market,
    quotes,
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


async def test_what_cannot_be_had_is_null_beside_what_can(market: Rig) -> None:
    await trade(market, BTC, EUR)
    market.worker.cannot_price = {ETH}
    body = await market.get(f"{PATH}?symbol=BTC,ETH&convert=EUR,ETH")
    by_pair = {(row["symbol"], one["symbol"]): one for row in body["results"] for one in row["quotes"]}
    assert by_pair["BTC", "EUR"]["price"] is not None
    assert by_pair["ETH", "ETH"]["price"] == "1"
    for pair, known in ((("BTC", "ETH"), "BTC/USD"), (("ETH", "EUR"), "USD/EUR")):
        quote = by_pair[pair]
        assert (quote["price"], quote["actual_date"], quote["age"], quote["stale"]) == (
            None,
            None,
            None,
            True,
        )
        assert [leg["pair"] for leg in quote["path"]] == [known]
    status, headers = await market.headers(f"{PATH}?symbol=BTC,ETH")
    assert (status, headers["Freshrate-Stale"], headers["Cache-Status"]) == (200, "true", UPSTREAM)


@pytest.mark.parametrize(
    ("kind", "status", "retry_after"),
    [
        (FailureKind.VISITED, 502, None),
        (FailureKind.NOT_TRIED, 503, "8"),
        (FailureKind.DATABASE_AWAY, 503, "8"),
    ],
)
async def test_where_nothing_has_a_price_the_failure_is_the_answer(
    market: Rig, kind: FailureKind, status: int, retry_after: str | None
) -> None:
    market.worker.failure = kind
    answered, headers = await market.headers(f"{PATH}?symbol=BTC,ETH&convert=EUR")
    assert (answered, headers.get("Retry-After")) == (status, retry_after)
    assert headers["Content-Type"] == "application/problem+json"


async def test_a_worker_that_is_late_is_a_deadline(start: StartRig) -> None:
    rig = await open_market(await start(refresh_timeout_seconds=1))
    rig.worker.hold.clear()
    body = await rig.get(f"{PATH}?symbol=BTC", status=504)
    assert body["type"] == "/problems/deadline-exceeded"


async def test_a_source_that_failed_says_more_than_that_nothing_was_tried(market: Rig) -> None:
    market.worker.failure = FailureKind.NOT_TRIED
    first_hold = market.worker.hold = asyncio.Event()
    first = asyncio.create_task(market.headers(f"{PATH}?symbol=ETH"))
    await until(lambda: market.worker.commands)
    second_hold = market.worker.hold = asyncio.Event()
    both = asyncio.create_task(market.headers(f"{PATH}?symbol=ETH,BTC"))
    await until(lambda: len(market.api.refresher._flights) == 2)
    first_hold.set()
    assert (await first)[0] == 503
    await until(lambda: len(market.worker.commands) == 2)
    market.worker.failure = FailureKind.VISITED
    second_hold.set()
    assert (await both)[0] == 502
    assert asked(market) == [[ETH], [BTC]]


async def test_without_a_queue_what_is_known_is_answered(market: Rig) -> None:
    await trade(market, BTC, EUR)
    market.api.refresher.lose_queue(QueueUnavailable())
    assert await way(market, "symbol=BTC&convert=EUR") == HIT
    await market.advance(seconds=60)
    assert await way(market, "symbol=BTC&convert=EUR") == STORE
    found = await quotes(market, "symbol=BTC,ETH")
    assert (found["BTC", "USD"]["price"], found["ETH", "USD"]["price"]) == (BTC_USD, None)
    body = await market.get(f"{PATH}?symbol=ETH", status=503)
    assert body["type"] == "/problems/queue-unavailable"


async def test_without_the_store_what_memory_holds_is_answered_as_stale(
    market: Rig, counted: Counted
) -> None:
    await trade(market, BTC, EUR)
    await market.get(f"{PATH}?symbol=BTC&convert=EUR")
    counted.is_away = True
    await market.advance(seconds=60)
    for _ in range(2):
        status, headers = await market.headers(f"{PATH}?symbol=BTC&convert=EUR")
        assert (status, headers["Cache-Status"]) == (200, STALE_HIT)
        assert (headers["Freshrate-Stale"], headers["Age"]) == ("true", "60")
    body = await market.get(f"{PATH}?symbol=ETH", status=503)
    assert body["type"] == "/problems/database-unavailable"
    found = await quotes(market, "symbol=BTC,ETH&convert=EUR")
    assert found["BTC", "EUR"]["stale"] is True
    assert found["ETH", "EUR"]["price"] is None
    assert asked(market) == []
    counted.is_away = False
    await market.advance(seconds=2)
    assert await way(market, "symbol=BTC&convert=EUR") == STORE
    assert not (await quotes(market, "symbol=BTC&convert=EUR"))["BTC", "EUR"]["stale"]


async def test_without_the_store_max_age_leaves_it_to_the_worker(market: Rig, counted: Counted) -> None:
    await trade(market, BTC)
    await market.advance(seconds=30)
    counted.is_away = True
    assert await way(market, "symbol=BTC&max_age=5") == UPSTREAM
    assert asked(market) == [[BTC]]

"""What requests for quotes cost, and what they leave behind."""

from typing import Any

import pytest

from shared.domain.identity import DecidedBy
from shared.domain.visit import FailureKind
from shared.errors import QueueUnavailable
from shared.messages import Role
from tests.api.conftest import StartRig
from tests.api.quotes import (
    BTC,
    DUP,
    ETH,
    EUR,
    EUR_USD,
    HIT,
    PATH,
    UPSTREAM,
    Counted,
    asked,
    open_market,
    quotes,
    trade,
    way,
)
from tests.api.rig import Rig, until
from tests.api.test_merged import decide


@pytest.fixture
async def market(rig: Rig) -> Rig:
    return await open_market(rig)


@pytest.fixture
def counted(market: Rig, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(market, monkeypatch)


async def test_only_requests_that_ask_a_worker_are_limited(start: StartRig) -> None:
    rig = await open_market(await start(refreshes_per_minute=1))
    await trade(rig, BTC, EUR)
    for _ in range(5):
        assert await way(rig, "symbol=BTC&convert=EUR") == HIT
    assert await way(rig, "symbol=ETH,DUP,NOPE") == UPSTREAM
    assert len(rig.worker.renewals) == 1
    status, headers = await rig.headers(f"{PATH}?symbol=BTC&max_age=0")
    assert (status, headers["Retry-After"]) == (429, "60")
    assert await way(rig, "symbol=BTC,ETH&convert=EUR") == HIT
    assert asked(rig) == [[DUP, ETH]]


async def test_whoever_asks_for_a_currency_puts_it_in_demand(market: Rig) -> None:
    await trade(market, BTC)
    await way(market, "symbol=BTC&convert=ETH")
    since = market.clock().timestamp()
    assert set(market.api.memory.asked_since(since)) == {BTC, ETH}
    await market.advance(seconds=1)
    await way(market, "symbol=BTC&convert=ETH")
    assert set(market.api.memory.asked_since(since + 1)) == {BTC, ETH}


async def test_the_dollar_and_a_currency_in_itself_need_no_rate(market: Rig, counted: Counted) -> None:
    for query in ("symbol=USD", "symbol=BTC&convert=BTC", "symbol=NOPE,EUR&convert_id=2790"):
        (quote,) = (await quotes(market, query)).values()
        assert (quote["price"], quote["age"], quote["actual_date"], quote["path"]) == ("1", 0, None, [])
        assert quote["stale"] is False
        _, headers = await market.headers(f"{PATH}?{query}")
        assert headers["Cache-Status"] == HIT
        assert "Age" not in headers
    assert (counted.reads, asked(market)) == ([], [])
    assert (await market.queue.depth(Role.PRICING)).accepted == 0


async def test_fiat_rates_are_stale_only_when_they_are_overdue(market: Rig) -> None:
    await trade(market, BTC, EUR)
    await market.advance(minutes=20)
    found = await quotes(market, "symbol=EUR,BTC")
    assert (found["EUR", "USD"]["price"], found["EUR", "USD"]["stale"]) == (EUR_USD, False)
    assert found["BTC", "USD"]["stale"] is True
    await market.advance(minutes=56)
    assert (await quotes(market, "symbol=EUR"))["EUR", "USD"]["stale"] is True


async def test_whoever_asks_for_something_fresh_puts_it_in_demand_though_it_fails(market: Rig) -> None:
    await trade(market, BTC)
    await market.advance(seconds=1)
    market.worker.failure = FailureKind.VISITED
    assert (await quotes(market, "symbol=BTC&max_age=0"))["BTC", "USD"]["stale"] is True
    assert set(market.api.memory.asked_since(market.clock().timestamp())) == {BTC}


async def test_where_what_is_known_counts_as_fresh_nobody_is_asked_and_nothing_spent(start: StartRig) -> None:
    rig = await open_market(await start(refresh_min_interval_seconds=30, refreshes_per_minute=1))
    await trade(rig, BTC)
    await rig.advance(seconds=30)
    for path in (f"{PATH}?symbol=BTC&max_age=0", "/api/lastrate/1/?max_age=0", "/api/latestrate/1/"):
        for _ in range(2):
            status, headers = await rig.headers(path)
            assert (status, headers.get("Cache-Status", HIT)) == (200, HIT)
    assert asked(rig) == []
    await rig.advance(seconds=1)
    assert await way(rig, "symbol=BTC&max_age=0") == UPSTREAM


async def test_without_a_queue_nobody_is_asked_and_nothing_spent(start: StartRig) -> None:
    rig = await open_market(await start(refreshes_per_minute=1))
    await trade(rig, BTC)
    for flights in (rig.api.refresher, rig.api.renewals):
        flights.lose_queue(QueueUnavailable())
    for _ in range(3):
        status, headers = await rig.headers(f"{PATH}?symbol=BTC,ETH,NOPE")
        assert (status, headers["Cache-Status"], headers["Cache-Control"]) == (200, HIT, "no-cache")
    for flights in (rig.api.refresher, rig.api.renewals):
        flights.regain_queue()
    assert await way(rig, "symbol=BTC,ETH,NOPE") == UPSTREAM


async def test_a_source_that_nobody_could_ask_is_no_way(market: Rig) -> None:
    await trade(market, BTC)
    market.worker.failure = FailureKind.NOT_TRIED
    assert await way(market, "symbol=BTC,ETH") == HIT
    market.worker.failure = FailureKind.VISITED
    assert await way(market, "symbol=BTC,ETH") == UPSTREAM


async def test_merged_ids_and_unknown_ones_cost_no_statement_each(
    market: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trade(market)
    local = await decide(market, None, DecidedBy.NONE)
    await until(lambda: market.api.catalog.get(local))
    await decide(market, ETH, DecidedBy.SYMBOL_AND_NAME)
    await until(lambda: local in market.api.catalog.merged())
    original, looked = market.storage.currency, []

    async def counted(currency_id: int) -> Any:
        looked.append(currency_id)
        return await original(currency_id)

    monkeypatch.setattr(market.storage, "currency", counted)
    path = f"{PATH}?id={BTC},{local}"
    for _ in range(2):
        assert [row["id"] for row in (await market.get(path))["results"]] == [BTC, ETH]
    assert market.api.quotes.ready(path, market.clock().timestamp()) is not None
    assert looked == []
    await market.get(f"{PATH}?id={','.join(str(9000 + one) for one in range(99))}", status=404)
    assert looked == [9000]

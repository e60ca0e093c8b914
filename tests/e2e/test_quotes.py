"""Quotes through real processes: where a rate comes from, and what that costs the source."""

import asyncio
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer
from shared.domain.times import iso
from shared.messages import Role
from tests.e2e.books import holder_of
from tests.e2e.processes import Stack
from tests.e2e.quotes import (
    BTC,
    ETH,
    EUR,
    HIT,
    RUB,
    STORE,
    UNPOLLED,
    UPSTREAM,
    age_catalog,
    prices_of,
    quote,
    quotes_of,
    ready,
    start,
    symbols_of,
    way_of,
)
from tests.e2e.test_rates import get
from tests.e2e.top import past_moment
from tests.waiting import until

SLOW_MS = 500
"""What the source takes, so that all who ask at once meet."""


async def test_what_no_poll_covers_is_fetched_once_and_then_comes_from_memory_and_from_the_store(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    service = await start(stack, http, CACHE_TTL_SECONDS="1")
    coin = UNPOLLED[0]
    answers = [await quote(http, service.api, symbol=coin.symbol.lower())]

    async def both_were_seen() -> bool:
        answers.append(await quote(http, service.api, symbol=coin.symbol))
        return {HIT, STORE} <= {*map(way_of, answers)}

    await until(both_were_seen, seconds=10, what="answers from memory and from the store")
    assert way_of(answers[0]) == UPSTREAM
    assert {*map(way_of, answers[1:])} == {HIT, STORE}
    assert [row["id"] for row in answers[0].rows] == [coin.id]
    assert len({prices_of(answer)[coin.symbol, "USD"] for answer in answers}) == 1
    assert await service.price_calls([coin]) == 1


async def test_a_hundred_symbols_that_no_poll_covers_take_one_call(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    service = await start(stack, http)
    coins = UNPOLLED[:100]
    answer = await quote(http, service.api, symbol=symbols_of(coins))
    assert way_of(answer) == UPSTREAM
    assert [row["id"] for row in answer.rows] == [coin.id for coin in coins]
    assert None not in prices_of(answer).values()
    assert answer.data["unknown"] == []
    assert await service.price_calls(coins) == 1


async def test_30_callers_of_what_the_catalog_lacks_take_one_call_of_the_map_and_at_most_two_of_prices(
    stack: Stack, http: aiohttp.ClientSession, postgresql_server: PostgresServer
) -> None:
    coins = UNPOLLED[:6]
    service = await start(stack, http, apis=2, hidden=coins)
    await age_catalog(postgresql_server, stack)
    before = await service.map_calls()
    await service.vendor.heal()
    await service.vendor.fault(kind="latency", ms=SLOW_MS)
    wanted = [[coins[number % 6], coins[(number + 1) % 6]] for number in range(30)]
    answers = await asyncio.gather(
        *(
            quote(http, service.apis[number % 2], symbol=symbols_of(pair))
            for number, pair in enumerate(wanted)
        )
    )
    assert [[row["id"] for row in answer.rows] for answer in answers] == [
        [coin.id for coin in pair] for pair in wanted
    ]
    assert not any(None in prices_of(answer).values() for answer in answers)
    assert await service.map_calls() == before + 1
    assert 1 <= await service.price_calls(coins) <= 2


async def test_a_symbol_that_appears_later_is_found_by_one_renewal(
    stack: Stack, http: aiohttp.ClientSession, postgresql_server: PostgresServer
) -> None:
    coin = UNPOLLED[7]
    service = await start(stack, http, hidden=[coin])
    await age_catalog(postgresql_server, stack)
    before = await service.map_calls()
    await service.vendor.heal()
    answer = await quote(http, service.api, symbol=f"BTC,{coin.symbol}", convert=coin.symbol)
    assert quotes_of(answer)[coin.symbol, coin.symbol]["path"] == []
    assert quotes_of(answer)["BTC", coin.symbol]["price"] is not None
    assert answer.data["unknown"] == []
    assert await service.map_calls() == before + 1


async def test_nonsense_asked_50_times_of_two_processes_costs_one_call_a_minute(
    stack: Stack, http: aiohttp.ClientSession, postgresql_server: PostgresServer
) -> None:
    service = await start(stack, http, apis=2)
    await age_catalog(postgresql_server, stack)
    before = await service.map_calls()
    asked = [f"NONSENSE{number}" for number in range(50)]
    answers = [
        *await asyncio.gather(*(quote(http, service.apis[n % 2], symbol=asked[n]) for n in range(25))),
        *[await quote(http, service.apis[n % 2], symbol=asked[n]) for n in range(25, 50)],
    ]
    assert [(answer.status, answer.data["unknown"]) for answer in answers] == [(404, [one]) for one in asked]
    mixed = await quote(http, service.api, symbol="nonsense,btc")
    assert (mixed.data["unknown"], [row["id"] for row in mixed.rows]) == (["nonsense"], [BTC])
    target = await quote(http, service.api, symbol="BTC", convert="NONSENSE")
    assert (target.status, [*target.data["errors"]]) == (400, ["convert"])
    assert await service.map_calls() == before + 1


def quotient(amount: str, base: str, target: str) -> Decimal:
    """The exact product, divided once."""
    product = Context(prec=200).multiply(Decimal(amount), Decimal(base))
    return Context(prec=28, rounding=ROUND_HALF_EVEN).divide(product, Decimal(target))


async def test_conversions_go_through_usd_and_agree_with_the_last_rates_to_the_last_digit(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    service = await start(stack, http)
    answer = await quote(
        http, service.api, symbol="BTC,EUR", convert="EUR,ETH,RUB,USD,BTC", amount="1234.5678"
    )
    quotes = quotes_of(answer)
    last: dict[str, dict[str, Any]] = {}
    for symbol, currency_id in (("BTC", BTC), ("ETH", ETH), ("EUR", EUR), ("RUB", RUB)):
        status, last[symbol] = await get(http, service.api, f"/api/lastrate/{currency_id}/")
        assert status == 200
    assert {symbol: rate["source"] for symbol, rate in last.items()} == {
        "BTC": "coinmarketcap",
        "ETH": "coinmarketcap",
        "EUR": "frankfurter",
        "RUB": "coinmarketcap",
    }
    fixed = datetime.fromisoformat(last["EUR"]["actual_date"]).astimezone(ZoneInfo("Europe/Berlin"))
    assert (fixed.hour, fixed.minute, fixed.second) == (16, 0, 0)
    for base in ("BTC", "EUR"):
        for target in {"EUR", "ETH", "RUB"} - {base}:
            one = quotes[base, target]
            assert Decimal(one["price"]) == quotient(
                "1234.5678", last[base]["price_usd"], last[target]["price_usd"]
            )
            legs = [(leg["pair"], leg["source"], leg["actual_date"]) for leg in one["path"]]
            assert legs == [
                (f"{base}/USD", last[base]["source"], last[base]["actual_date"]),
                (f"USD/{target}", last[target]["source"], last[target]["actual_date"]),
            ]
            oldest = min(one["path"], key=lambda leg: (-leg["age"], leg["actual_date"]))
            assert one["actual_date"] == oldest["actual_date"]
    in_usd = quotes["BTC", "USD"]
    assert Decimal(in_usd["price"]) == Context(prec=200).multiply(
        Decimal("1234.5678"), Decimal(last["BTC"]["price_usd"])
    )
    assert [leg["pair"] for leg in in_usd["path"]] == ["BTC/USD"]
    assert (Decimal(quotes["BTC", "BTC"]["price"]), quotes["BTC", "BTC"]["path"]) == (
        Decimal("1234.5678"),
        [],
    )


async def test_a_quote_of_a_past_moment_is_the_same_after_new_rates_and_in_an_outage(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    service = await start(stack, http)
    asked = {"symbol": "BTC,USDT", "convert": "EUR,ETH"}
    then: dict[str, str | int] = {**asked, "datetime": iso(await past_moment())}
    first = await quote(http, service.api, **then)
    assert way_of(first) == STORE
    assert None not in prices_of(first).values()
    renewed = await quote(http, service.api, **asked, max_age=0)
    assert way_of(renewed) == UPSTREAM
    assert prices_of(renewed)["BTC", "ETH"] != prices_of(first)["BTC", "ETH"]
    await service.vendor.fault(kind="reset")
    await service.worker.kill()
    other = await stack.api()
    await ready(http, other)
    cold = await quote(http, other, **then)
    again = await quote(http, service.api, **then)
    assert first.body == again.body == cold.body


async def test_what_was_asked_for_once_is_in_the_next_poll(stack: Stack, http: aiohttp.ClientSession) -> None:
    service = await start(stack, http, apis=2, PRICE_SCHEDULE="1s")
    coin = UNPOLLED[3]
    asked, other = service.apis
    assert way_of(await quote(http, asked, symbol=coin.symbol)) == UPSTREAM
    # What was asked for is told at the end at the latest.
    assert await asked.stop() == 0

    async def is_polled() -> bool:
        _, page = await get(http, other, f"/api/ratescurrency/{coin.id}/")
        return len(page["results"]) > 1

    await until(is_polled, seconds=15, what="a poll of what was asked for")
    assert [row["id"] for row in (await quote(http, other, symbol=coin.symbol)).rows] == [coin.id]
    assert way_of(await quote(http, other, symbol=coin.symbol)) == HIT


async def test_a_worker_killed_in_the_middle_of_a_renewal_of_the_catalog_strands_nobody(
    stack: Stack, http: aiohttp.ClientSession, postgresql_server: PostgresServer, valkey_server: ValkeyServer
) -> None:
    coin = UNPOLLED[9]
    service = await start(stack, http, hidden=[coin], REFRESH_TIMEOUT_SECONDS="25")
    workers = [service.worker, await stack.worker()]
    await age_catalog(postgresql_server, stack)
    before = await service.map_calls()
    await service.vendor.heal()
    await service.vendor.fault(path="cryptocurrency/map", kind="latency", ms=20_000, times=1)
    asking = asyncio.create_task(quote(http, service.api, symbol=coin.symbol))

    async def is_visited() -> bool:
        return await service.map_calls() > before

    await until(is_visited, seconds=10, what="a renewal")
    await (await holder_of(valkey_server, workers, role=Role.CATALOG)).kill()
    assert not asking.done()
    answer = await asking
    assert [row["id"] for row in answer.rows] == [coin.id], answer.body
    assert await service.map_calls() == before + 2

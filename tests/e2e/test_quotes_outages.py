"""What quotes say while Redis, the source or the database is away. Every test strikes a real server."""

import asyncio

import aiohttp

from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer
from tests.e2e.processes import Stack
from tests.e2e.quotes import HIT, STORE, UNPOLLED, prices_of, quote, quotes_of, start, way_of
from tests.e2e.top import Answer
from tests.waiting import until

UNKNOWN = UNPOLLED[0].symbol
"""No rate of it is known."""
OVERDUE = "freshrate; hit; detail=stale"


async def test_with_redis_down_what_is_known_is_quoted_and_what_is_not_is_503_within_two_seconds(
    stack: Stack, http: aiohttp.ClientSession, own_valkey: ValkeyServer
) -> None:
    own_valkey.start()
    try:
        service = await start(stack, http, REDIS_URL=own_valkey.url, CACHE_TTL_SECONDS="1")
        own_valkey.kill()
        seen: set[str] = set()

        async def both_were_seen() -> bool:
            answer = await quote(http, service.api, symbol="BTC", convert="ETH")
            assert prices_of(answer)["BTC", "ETH"]
            seen.add(way_of(answer))
            return {HIT, STORE} <= seen

        await until(both_were_seen, seconds=10, what="answers from memory and from the store")
        assert seen == {HIT, STORE}
        refused = [
            await quote(http, service.api, symbol=UNKNOWN),
            await quote(http, service.api, symbol="BTC", max_age=0),
            await quote(http, service.api, symbol="NONSENSE"),
        ]
        assert [answer.status for answer in refused] == [503] * 3
        assert max(answer.seconds for answer in refused) < 2
        mixed = await quote(http, service.api, symbol=f"BTC,{UNKNOWN}")
        assert mixed.seconds < 2
        assert prices_of(mixed)["BTC", "USD"]
        assert (quotes_of(mixed)[UNKNOWN, "USD"]["price"], mixed.headers["Freshrate-Stale"]) == (None, "true")
    finally:
        own_valkey.stop()


async def test_with_the_source_down_what_is_known_is_quoted_with_its_age_and_what_is_not_is_502(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    service = await start(
        stack, http, CACHE_TTL_SECONDS="1", STALE_AFTER_SECONDS="1", REFRESH_TIMEOUT_SECONDS="4"
    )
    fresh = await quote(http, service.api, symbol="BTC")
    await service.vendor.fault(kind="reset")

    async def is_old() -> Answer | None:
        answer = await quote(http, service.api, symbol="BTC")
        return answer if quotes_of(answer)["BTC", "USD"]["stale"] else None

    old: Answer = await until(is_old, seconds=10, what="a rate that is called stale")
    one = quotes_of(old)["BTC", "USD"]
    assert one["price"] == prices_of(fresh)["BTC", "USD"]
    assert one["age"] == one["path"][0]["age"] >= 1
    assert old.headers["Freshrate-Stale"] == "true"
    failed = await quote(http, service.api, symbol=UNKNOWN)
    assert failed.status == 502, failed.body
    mixed = await quote(http, service.api, symbol=f"{UNKNOWN},BTC")
    assert prices_of(mixed) == {(UNKNOWN, "USD"): None, ("BTC", "USD"): one["price"]}


async def test_with_the_database_down_memory_goes_on_and_it_is_read_again_when_it_is_back(
    stack: Stack, http: aiohttp.ClientSession, postgresql_server: PostgresServer
) -> None:
    service = await start(stack, http, CACHE_TTL_SECONDS="1")
    price = prices_of(await quote(http, service.api, symbol="BTC"))["BTC", "USD"]

    async def is_answered(way: str) -> bool:
        answer = await quote(http, service.api, symbol="BTC")
        assert prices_of(answer)["BTC", "USD"] == price
        return way_of(answer) == way

    await asyncio.to_thread(postgresql_server.stop)
    try:
        await until(lambda: is_answered(OVERDUE), seconds=15, what="a quote past its life")
        unheard = await quote(http, service.api, symbol=UNKNOWN)
        assert (unheard.status, unheard.data["type"]) == (503, "/problems/database-unavailable")
    finally:
        await asyncio.to_thread(postgresql_server.start)
    await until(lambda: is_answered(STORE), seconds=5, what="a quote from the store")

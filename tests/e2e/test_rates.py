"""The way of a rate from the source to the client, through real processes and servers."""

import asyncio
import re
from decimal import Decimal
from typing import Any

import aiohttp

from tests.e2e.faults import calls_of, fault
from tests.e2e.processes import Running, Stack
from tests.waiting import until

RUB = 2806
"""CoinMarketCap is asked for it after the fiat currencies' own source, which lacks it."""


async def get(http: aiohttp.ClientSession, running: Running, path: str, **headers: str) -> tuple[int, Any]:
    async with http.get(running.url + path, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def catalog_ready(http: aiohttp.ClientSession, api: Running) -> None:
    """Returns when the first polls are over, that of the fiat currencies too, and the first profiles are here: after that no
    worker asks the source by itself for a while."""

    async def loaded() -> bool:
        if not all([(await get(http, api, f"/api/lastrate/{one}/"))[0] == 200 for one in (1, RUB)]):
            return False
        status, bitcoin = await get(http, api, "/api/currencies/1/")
        return status == 200 and bool(bitcoin["tags"])

    await until(loaded, seconds=15, what="the first polls")


async def test_a_poll_reaches_the_client(stack: Stack, http: aiohttp.ClientSession) -> None:
    await stack.simulator()
    api = await stack.api()
    await stack.worker()
    await catalog_ready(http, api)
    status, page = await get(http, api, "/api/ratescurrency/?limit=1000")
    assert status == 200
    assert len(page["results"]) >= 20
    assert {one["source"] for one in page["results"]} == {"coinmarketcap", "frankfurter"}
    status, last = await get(http, api, "/api/lastrate/1/")
    assert status == 200
    assert Decimal(last["price_usd"]) > 0
    assert last["stale"] is False


async def test_a_refresh_is_fresh_committed_and_traceable_in_both_logs(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api, worker = await stack.api(), await stack.worker()
    await catalog_ready(http, api)
    answers = []
    for number in range(2):
        status, rate = await get(http, api, "/api/latestrate/1027/", **{"X-Request-ID": f"trace-{number}"})
        assert status == 200, rate
        answers.append(rate)
        status, stored = await get(http, api, f"/api/ratecurrency/{rate['id']}/")
        assert status == 200
        assert stored["price_usd"] == rate["price_usd"]
    assert answers[1]["fetched_at"] > answers[0]["fetched_at"]
    assert answers[1]["price_usd"] != answers[0]["price_usd"]

    async def in_both_logs() -> bool:
        return "trace-1" in api.log_text() and "trace-1" in worker.log_text()

    await until(in_both_logs, seconds=5, what="the request id in both logs")


async def test_200_callers_over_two_api_processes_make_one_upstream_call(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    apis = [await stack.api(), await stack.api()]
    for _ in range(2):
        await stack.worker()
    for api in apis:
        await catalog_ready(http, api)
    await fault(http, stack, path="quotes", kind="latency", ms=400)
    before = await calls_of(http, stack, "quotes")
    answers = await asyncio.gather(*(get(http, apis[n % 2], "/api/latestrate/1/") for n in range(200)))
    assert [status for status, _ in answers] == [200] * 200
    assert len({rate["id"] for _, rate in answers}) == 1
    assert await calls_of(http, stack, "quotes") - before == 1


async def test_50_currencies_at_once_make_at_most_two_upstream_calls(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    """The first goes at once; the source is so slow that all others wait by the end of that visit, and share the next."""
    await stack.simulator()
    api = await stack.api()
    await stack.worker()
    await catalog_ready(http, api)
    _, page = await get(http, api, "/api/currencies/?limit=50")
    currency_ids = [one["id"] for one in page["results"]]
    await fault(http, stack, path="quotes", kind="latency", ms=1000)
    before = await calls_of(http, stack, "quotes")
    answers = await asyncio.gather(*(get(http, api, f"/api/latestrate/{one}/") for one in currency_ids))
    assert [status for status, _ in answers] == [200] * 50
    assert await calls_of(http, stack, "quotes") - before <= 2


async def test_a_currency_that_is_not_polled_can_be_refreshed(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api()
    await stack.worker()
    await catalog_ready(http, api)
    _, page = await get(http, api, "/api/currencies/?limit=200")
    unpolled = page["results"][150]
    assert (await get(http, api, f"/api/lastrate/{unpolled['id']}/"))[0] == 404
    status, rate = await get(http, api, f"/api/latestrate/{unpolled['id']}/")
    assert status == 200
    assert rate["symbol"] == unpolled["symbol"]


async def test_one_unknown_id_in_a_batch_fails_alone(stack: Stack, http: aiohttp.ClientSession) -> None:
    await stack.simulator()
    api = await stack.api()
    await stack.worker()
    await catalog_ready(http, api)
    await fault(http, stack, path="quotes", kind="missing", ids=[1027])
    answers = await asyncio.gather(*(get(http, api, f"/api/latestrate/{one}/") for one in (1, 1027, 1839)))
    assert [status for status, _ in answers] == [200, 502, 200]
    assert answers[1][1]["last_rate"]["currency"] == 1027


async def test_the_direct_request_needs_no_queue_and_no_worker(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    worker = await stack.worker()
    api = await stack.api(API_KEYS="a-key-that-is-long-enough-to-be-one")
    await catalog_ready(http, api)
    await worker.stop()
    assert (await get(http, api, "/services/requestcurrency/1/"))[0] == 401
    status, currency = await get(
        http, api, "/services/requestcurrency/1/", **{"X-API-Key": "a-key-that-is-long-enough-to-be-one"}
    )
    assert status == 200
    assert currency["symbol"] == "BTC"
    status, last = await get(http, api, "/api/lastrate/1/")
    assert last["fetched_at"] >= currency["last_rate"]["fetched_at"]
    assert not re.search("a-key-that", api.log_text())

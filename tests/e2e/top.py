"""The top list as a client sees it, with the processes and the two sources behind it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from shared.domain.times import iso
from tests.e2e.faults import Vendor
from tests.e2e.processes import Running, Stack
from tests.waiting import until

PROCESSES = "processes"
STANDALONE = "standalone"
FORMS = (PROCESSES, STANDALONE)
LENGTH = 200
PAGES = 2
"""CryptoCompare gives a ranking of that length in pages of 100."""
_ENV = {
    "CRYPTOCOMPARE_API_KEY": "any",
    "CRYPTOCOMPARE_CALLS_PER_MINUTE": "0",
    "RANKING_SCHEDULE": "1h",
    "TRACKED_TOP": "200",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    data: Any
    """Of JSON."""
    seconds: float

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.data["results"]
        return rows

    @property
    def order(self) -> list[int]:
        return [row["currency"] for row in self.rows]

    def is_whole(self, places: int = LENGTH) -> bool:
        """Every place is taken, and every currency has a price."""
        return [row["rank"] for row in self.rows] == [*range(1, places + 1)] and all(
            row["price_usd"] and row["source"] and row["actual_date"] for row in self.rows
        )


async def ask(
    http: aiohttp.ClientSession,
    running: Running,
    path: str = "/api/top/",
    *,
    headers: Mapping[str, str] | None = None,
    **query: str | int,
) -> Answer:
    began = time.monotonic()
    async with http.get(running.url + path, params=query, headers=headers) as response:
        body = await response.read()
        data = await response.json(content_type=None) if "json" in response.content_type else None
        return Answer(response.status, response.headers, body, data, time.monotonic() - began)


async def as_of(http: aiohttp.ClientSession, running: Running, moment: datetime) -> Answer:
    answer = await ask(http, running, limit=LENGTH, datetime=iso(moment))
    assert answer.status == 200, answer.body
    return answer


async def past_moment() -> datetime:
    """A moment that lies behind every commit of its time."""
    moment = datetime.now(UTC)
    await asyncio.sleep(0.5)
    return moment


async def listed(http: aiohttp.ClientSession, running: Running, places: int = LENGTH) -> Answer:
    """The list, as soon as it is whole and fresh."""
    last: Answer | None = None

    async def is_listed() -> Answer | None:
        nonlocal last
        last = await ask(http, running, limit=places)
        fresh = last.status == 200 and not last.data["stale"]
        return last if fresh and last.is_whole(places) else None

    try:
        answer: Answer = await until(is_listed, seconds=25, what="a whole list")
    except AssertionError as error:
        raise AssertionError(
            f"{error}: {last and last.body[:2000]!r}\n{running.log_text()[-4000:]}"
        ) from None
    return answer


@dataclass(slots=True)
class Service:
    """freshrate in one of its forms, with two sources."""

    apis: Sequence[Running]
    coinmarketcap: Vendor
    cryptocompare: Vendor
    pricing: Running
    ranking: Running
    """The same as `pricing` where one process does all."""

    @property
    def api(self) -> Running:
        return self.apis[0]

    async def quiet(self, seconds: float) -> None:
        """Returns when neither source was asked for so long."""

        async def is_quiet() -> bool:
            calls = [*await self.coinmarketcap.calls(), *await self.cryptocompare.calls()]
            return (datetime.now(UTC) - max(call.time for call in calls)).total_seconds() > seconds

        await until(is_quiet, seconds=30, what="sources that nobody asks")


async def start(
    stack: Stack,
    http: aiohttp.ClientSession,
    form: str,
    *,
    apis: int = 1,
    is_cold: bool = False,
    env: Mapping[str, str] | None = None,
) -> Service:
    """As many API processes and a worker of each role, or one process for all, with CoinMarketCap and CryptoCompare as
    a simulator each. `is_cold`: with the catalog, but without a rate or a ranking: there is nothing to poll for the
    first poll, and the first ranking fails."""
    first, second = await asyncio.gather(stack.upstream(), stack.upstream())
    coinmarketcap, cryptocompare = Vendor(http, first.url), Vendor(http, second.url)
    stack.env |= {
        **_ENV,
        "COINMARKETCAP_URL": first.url,
        "FRANKFURTER_URL": first.url,
        "CRYPTOCOMPARE_URL": second.url,
        **(env or {}),
    }
    if is_cold:
        stack.env["TRACKED_TOP"] = "0"
        await coinmarketcap.fault(path="listings", kind="malformed")
        await cryptocompare.fault(kind="malformed")
    service = await _started(stack, form, apis, coinmarketcap, cryptocompare)
    if is_cold:
        await _first_ranking_failed(coinmarketcap, cryptocompare)
        await asyncio.gather(*(_knows_catalog(http, api) for api in service.apis))
    return service


async def _started(
    stack: Stack, form: str, apis: int, coinmarketcap: Vendor, cryptocompare: Vendor
) -> Service:
    if form == STANDALONE:
        running = await stack.standalone()
        return Service([running], coinmarketcap, cryptocompare, pricing=running, ranking=running)
    pricing, ranking, *serving = await asyncio.gather(
        stack.worker(WORKER_ROLES="pricing"),
        stack.worker(WORKER_ROLES="ranking"),
        *(stack.api() for _ in range(apis)),
    )
    return Service(serving, coinmarketcap, cryptocompare, pricing=pricing, ranking=ranking)


async def _first_ranking_failed(coinmarketcap: Vendor, cryptocompare: Vendor) -> None:
    async def has_failed() -> bool:
        calls = [*await coinmarketcap.calls("listings"), *await cryptocompare.calls()]
        return len(calls) > PAGES and all(call.status for call in calls)

    await until(has_failed, seconds=20, what="a first ranking that fails")
    for vendor in (coinmarketcap, cryptocompare):
        await vendor.heal()


async def _knows_catalog(http: aiohttp.ClientSession, api: Running) -> None:
    async def is_loaded() -> bool:
        answer = await ask(http, api, "/api/lastrate/1/")
        return bool(answer.data["type"] == "/problems/no-rate-yet")

    await until(is_loaded, seconds=15, what="the catalog")

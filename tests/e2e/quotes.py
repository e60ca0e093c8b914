"""Quotes as a client sees them, and the processes behind them."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from deploy.servers.postgresql import PostgresServer
from simulator.coins import Coin, load_coins
from tests.e2e.faults import Vendor
from tests.e2e.processes import Running, Stack
from tests.e2e.top import Answer, ask
from tests.waiting import until

HIT = "freshrate; hit"
STORE = "freshrate; fwd=miss; detail=store"
UPSTREAM = "freshrate; fwd=miss; detail=upstream"
BTC, ETH, EUR, RUB = 1, 1027, 2790, 2806


def _unpolled() -> list[Coin]:
    """Coins far outside the polls, whose symbols no other coin has."""
    coins = load_coins(600)
    holders = Counter(coin.symbol.casefold() for coin in coins)
    return [coin for coin in coins[250:580] if holders[coin.symbol.casefold()] == 1]


UNPOLLED = _unpolled()


@dataclass(slots=True)
class Service:
    """freshrate with one simulator for all its sources."""

    vendor: Vendor
    worker: Running
    apis: Sequence[Running]

    @property
    def api(self) -> Running:
        return self.apis[0]

    async def price_calls(self, coins: Collection[Coin]) -> int:
        """How many calls for prices named any of these."""
        wanted = {coin.id for coin in coins}
        return len([call for call in await self.vendor.calls("quotes") if call.ids & wanted])

    async def map_calls(self) -> int:
        return len(await self.vendor.calls("cryptocurrency/map"))


async def start(
    stack: Stack, http: aiohttp.ClientSession, *, apis: int = 1, hidden: Collection[Coin] = (), **env: str
) -> Service:
    """A worker, and as many API processes, which start when the first poll is over. `hidden`: not listed yet."""
    stack.env |= {"COINMARKETCAP_CREDITS_PER_MONTH": "0", **env}
    simulator = await stack.simulator()
    vendor = Vendor(http, simulator.url)
    if hidden:
        await vendor.fault(kind="missing", ids=[coin.id for coin in hidden])
    worker = await stack.worker()
    await worker.logged("polled")
    serving = await asyncio.gather(*(stack.api() for _ in range(apis)))
    await asyncio.gather(*(ready(http, api) for api in serving))
    return Service(vendor, worker, serving)


async def ready(http: aiohttp.ClientSession, api: Running) -> None:
    """Returns when the API knows the catalog, the first polls, that of the fiat currencies too, and the first profiles."""

    async def is_quoting() -> bool:
        answer = await quote(http, api, symbol="BTC", convert="RUB")
        if answer.status != 200 or prices_of(answer)["BTC", "RUB"] is None:
            return False
        return bool(answer.rows[0]["tags"])

    await until(is_quoting, seconds=15, what="the first quote")


async def age_catalog(server: PostgresServer, stack: Stack) -> None:
    """As though the catalog had been renewed two minutes before, so that it may be renewed on demand."""
    database = stack.env["DATABASE_URL"].rpartition("/")[2]

    def is_done() -> str:
        return server.execute(
            "UPDATE schedules SET done_at = done_at - interval '2 minutes'"
            " WHERE job = 'catalog on demand' AND done_at IS NOT NULL RETURNING job",
            database=database,
        )

    async def is_aged() -> bool:
        return bool(await asyncio.to_thread(is_done))

    await until(is_aged, seconds=15, what="the first renewal of the catalog")


async def quote(http: aiohttp.ClientSession, api: Running, **query: str | int) -> Answer:
    return await ask(http, api, "/api/quotes/", headers=None, **query)


def way_of(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return answer.headers["Cache-Status"]


def quotes_of(answer: Answer) -> dict[tuple[str, str], dict[str, Any]]:
    """By the symbols of what is asked for, and of what it is quoted in."""
    assert answer.status == 200, answer.body
    return {(row["symbol"], one["symbol"]): one for row in answer.rows for one in row["quotes"]}


def prices_of(answer: Answer) -> dict[tuple[str, str], str | None]:
    return {pair: one["price"] for pair, one in quotes_of(answer).items()}


def symbols_of(coins: Collection[Coin]) -> str:
    return ",".join(coin.symbol for coin in coins)

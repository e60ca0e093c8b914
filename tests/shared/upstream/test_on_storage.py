"""The client on a real storage, and the real protocol through it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from shared.errors import BudgetSpent, SourceBlocked, UpstreamLimited
from shared.ports import Storage
from shared.settings import read_settings
from shared.sources.coinmarketcap import CoinMarketCap
from shared.storage import open_storage
from shared.upstream import Upstream
from tests.servers import sqlite_url
from tests.shared.sources.coinmarketcap.answers import coin, error, good
from tests.shared.upstream.conftest import Handler
from tests.shared.upstream.doubles import Clock

Serve = Callable[[Handler], Awaitable[str]]
PLENTY = timedelta(seconds=5)


@pytest.fixture
async def storage(tmp_path: Path, clock: Clock) -> AsyncIterator[Storage]:
    settings = read_settings(_env_file=None, database_url=sqlite_url(tmp_path / "test.db"))
    opened = await open_storage(settings, clock=clock)
    yield opened
    await opened.close()


async def test_two_processes_on_one_storage_never_pass_the_budget(
    serve: Serve, storage: Storage, clock: Clock
) -> None:
    calls = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(body=good([coin()]).body)

    source = CoinMarketCap(base_url=await serve(handler), calls_per_minute=6, credits_per_month=100)
    (call,) = source.plan([1], {}, {})
    async with (
        Upstream(storage, clock=clock, registry=CollectorRegistry()) as one,
        Upstream(storage, clock=clock, registry=CollectorRegistry()) as other,
    ):
        results = await asyncio.gather(
            *(
                client.ask(source, call, time_left=PLENTY, attempts=1)
                for client in (one, other)
                for _ in range(6)
            ),
            return_exceptions=True,
        )
    assert calls == 6
    assert sum(1 for result in results if isinstance(result, BudgetSpent)) == 6
    allowance, _ = await storage.allowance(source.name)
    assert allowance.credits_spent == 6


async def test_a_price_goes_through_without_losing_a_digit(
    serve: Serve, storage: Storage, clock: Clock
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=good([coin(price="0.000029123550980711138")]).body)

    source = CoinMarketCap(base_url=await serve(handler))
    (call,) = source.plan([1], {}, {})
    async with Upstream(storage, clock=clock, registry=CollectorRegistry()) as upstream:
        reply = await upstream.ask(source, call, time_left=PLENTY, attempts=1)
    assert reply.value.observations[0].price_usd == Decimal("0.000029123550980711138")


async def test_a_block_outlives_the_process(serve: Serve, storage: Storage, clock: Clock) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=429, body=error(429, 1008).body)

    source = CoinMarketCap(base_url=await serve(handler))
    (call,) = source.plan([1], {}, {})
    async with Upstream(storage, clock=clock, registry=CollectorRegistry()) as first:
        with pytest.raises(UpstreamLimited):
            await first.ask(source, call, time_left=PLENTY, attempts=1)
    async with Upstream(storage, clock=clock, registry=CollectorRegistry()) as second:
        with pytest.raises(SourceBlocked) as caught:
            await second.ask(source, call, time_left=PLENTY, attempts=1)
        assert caught.value.retry_after == pytest.approx(60)
        await second.forgive(source)
        with pytest.raises(UpstreamLimited):
            await second.ask(source, call, time_left=PLENTY, attempts=1)

"""A client, its clock, keeper and meters, and servers that answer as a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from pytest_aiohttp import AiohttpServer

from shared.upstream import Upstream
from tests.shared.upstream.doubles import Clock, Keeper, PlainSource

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def upstream(keeper: Keeper, clock: Clock, registry: CollectorRegistry) -> AsyncIterator[Upstream]:
    async with Upstream(keeper, clock=clock, registry=registry) as client:
        yield client


@pytest.fixture
def serve(aiohttp_server: AiohttpServer) -> Callable[[Handler], Awaitable[str]]:
    """Gives the URL of a server whose every path is answered by the handler."""

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        server = await aiohttp_server(app)
        return str(server.make_url("")).rstrip("/")

    return start


@pytest.fixture
async def talk() -> AsyncIterator[Callable[[Talk], Awaitable[PlainSource]]]:
    """Gives a source whose server speaks bytes of its own after it has read the request."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def start(speak: Talk) -> PlainSource:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await reader.readuntil(b"\r\n\r\n")
                await speak(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass  # the client has hung up, as it should
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        return PlainSource(base_url=f"http://127.0.0.1:{port}")

    yield start
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

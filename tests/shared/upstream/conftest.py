"""A client, its clock, keeper and meters, and servers that answer as a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from pytest_aiohttp import AiohttpServer
from structlog.testing import CapturingLogger

from shared.upstream import Upstream, client
from tests.shared.upstream.asking import Server
from tests.shared.upstream.doubles import Clock, Keeper, PlainSource

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Handler], Awaitable[str]]
Start = Callable[[Talk], Awaitable[PlainSource]]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once."""
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 0.001)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    """What the client logs."""
    capturing = CapturingLogger()
    monkeypatch.setattr(client, "log", capturing)
    return capturing


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
    async with Upstream(keeper, clock=clock, registry=registry) as opened:
        yield opened


@pytest.fixture
def serve(aiohttp_server: AiohttpServer) -> Serve:
    """Gives the URL of a server whose every path is answered by the handler."""

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        server = await aiohttp_server(app)
        return str(server.make_url("")).rstrip("/")

    return start


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def source(serve: Serve, server: Server) -> PlainSource:
    return PlainSource(base_url=await serve(server.handle), calls_per_minute=100, credits_per_month=100)


@pytest.fixture
async def talk() -> AsyncIterator[Start]:
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

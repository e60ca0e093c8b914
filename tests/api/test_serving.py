"""Listening and stopping in order."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import http_parser, http_writer
from structlog.testing import capture_logs

from api import app as app_module
from api.app import create_app
from api.serving import require_c_extensions, serve_app
from shared.domain.currency import CurrencyKind
from shared.messages import Role
from shared.ports import Queue, Storage
from shared.settings import Settings
from tests.api.rig import COINS, ManualClock, RigWorker, StoringVisitor, until


async def serving(
    settings: Settings, storage: Storage, queue: Queue, clock: ManualClock, stop: asyncio.Event
) -> tuple[asyncio.Task[None], list[str]]:
    app = create_app(
        settings=settings, storage=storage, queue=queue, visitor=StoringVisitor(storage, clock), clock=clock
    )
    with capture_logs() as logs:
        task = asyncio.create_task(serve_app(app, settings, stop))
        await until(lambda: logs or task.done())
        ready = next(line for line in logs if line["event"] == "api ready")
    return task, ready["addresses"]


async def until_ready(session: aiohttp.ClientSession, address: str) -> None:
    """The catalog is read in the background."""
    async with asyncio.timeout(10):
        while True:
            async with session.get(f"{address}/health/ready") as response:
                if response.status == 200:
                    return
            await asyncio.sleep(0.01)


async def test_it_listens_on_every_port_and_finishes_what_is_in_hand(
    settings: Settings, storage: Storage, queue: Queue, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.record_catalog(CurrencyKind.CRYPTO, COINS, stored_at=clock())
    worker = RigWorker(queue, storage, clock)
    worker.hold.clear()
    working = asyncio.create_task(worker.run())
    await queue.heartbeat(Role.PRICING, "worker")
    stop = asyncio.Event()
    two_ports = settings.model_copy(update={"api_port": (0, 0)})
    task, addresses = await serving(two_ports, storage, queue, clock, stop)
    assert len(addresses) == 2
    async with aiohttp.ClientSession() as session:
        for address in addresses:
            async with session.get(f"{address}/health/live") as response:
                assert response.status == 200

        await until_ready(session, addresses[0])

        async def ask() -> int:
            async with session.get(f"{addresses[0]}/api/latestrate/1/") as response:
                return response.status

        asking = asyncio.create_task(ask())
        await until(lambda: worker.visits)
        stop.set()
        await asyncio.sleep(0.05)
        async with session.get(f"{addresses[1]}/health/live") as response:
            assert (response.status, response.headers["Connection"]) == (200, "close")
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{addresses[1]}/health/live")
        worker.hold.set()
        assert await asking == 200
    await asyncio.wait_for(task, 5)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_requests_that_arrived_behind_the_one_in_hand_are_answered_before_the_connection_closes(
    settings: Settings, storage: Storage, queue: Queue, clock: ManualClock
) -> None:
    await storage.record_catalog(CurrencyKind.CRYPTO, COINS, stored_at=clock())
    worker = RigWorker(queue, storage, clock)
    worker.hold.clear()
    working = asyncio.create_task(worker.run())
    await queue.heartbeat(Role.PRICING, "worker")
    stop = asyncio.Event()
    task, (address,) = await serving(
        settings.model_copy(update={"api_port": (0,)}), storage, queue, clock, stop
    )
    async with aiohttp.ClientSession() as session:
        await until_ready(session, address)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    paths = ("/api/latestrate/1/", "/health/live", "/health/live")
    writer.write("".join(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n" for path in paths).encode())
    await until(lambda: worker.visits)
    stop.set()
    await asyncio.sleep(0)
    worker.hold.set()
    answers = await asyncio.wait_for(reader.read(), 10)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.count(b"Connection: close") == 1
    writer.close()
    await asyncio.wait_for(task, 5)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_whoever_waits_too_long_for_a_stopping_process_is_told_to_ask_again(
    settings: Settings, storage: Storage, queue: Queue, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "LAST_WAIT", 0.05)
    await storage.record_catalog(CurrencyKind.CRYPTO, COINS, stored_at=clock())
    await queue.heartbeat(Role.PRICING, "worker")
    stop = asyncio.Event()
    task, addresses = await serving(
        settings.model_copy(update={"api_port": (0,)}), storage, queue, clock, stop
    )
    async with aiohttp.ClientSession() as session:
        await until_ready(session, addresses[0])

        async def ask() -> Any:
            async with session.get(f"{addresses[0]}/api/latestrate/1/") as response:
                return response.status, await response.json(content_type=None)

        asking = asyncio.create_task(ask())
        await asyncio.sleep(0.1)
        stop.set()
        status, body = await asking
    assert status == 503
    assert "stopped" in body["detail"]
    await asyncio.wait_for(task, 5)


def test_missing_c_extensions_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    require_c_extensions()
    with monkeypatch.context() as patch:
        patch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
        with pytest.raises(RuntimeError, match="parser"):
            require_c_extensions()
    with monkeypatch.context() as patch:
        patch.setattr(http_writer, "_serialize_headers", http_writer._py_serialize_headers)
        with pytest.raises(RuntimeError, match="writer"):
            require_c_extensions()

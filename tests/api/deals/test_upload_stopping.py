"""A process that stops: uploads that end soon are taken, all others given up in order, and their clients told so."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from api import app as app_module
from api import serving
from tests.api.conftest import StartRig
from tests.api.deals.sending import (
    CSV,
    FILE,
    FORM,
    HEADER,
    OK,
    OTHER_FILE,
    Told,
    Wire,
    counted,
    current,
    part,
    post,
)
from tests.api.rig import Rig, until
from tests.e2e.kills import LOADING, MARK, Gates

SOON = 0.05
"""Seconds."""
HELD = f"{HEADER}\n" + "".join(
    f"h{n},ruby,{n},{MARK if n == 4000 else 1},2026-11-20 12:00:00\n" for n in range(4050)
)
LARGE = 3_000_000
"""Bytes of a body of which only a part is sent."""


@pytest.fixture
async def rig(start: StartRig) -> Rig:
    started = await start(api_keys="")
    assert (await post(started, OTHER_FILE, CSV)).body == OK
    return started


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "LAST_WAIT", SOON)


class Held:
    """A load that stands still in the database."""

    def __init__(self, let_go: Callable[[], Awaitable[None]]) -> None:
        self.caught = threading.Event()
        self.let_go = let_go


@asynccontextmanager
async def gate(rig: Rig, servers: dict[str, Any]) -> AsyncIterator[Held]:
    """Before one deal of HELD. At the end of the block its load must be over."""
    made = gate_of_postgresql(servers["database_url"]) if servers else gate_of_sqlite(rig.storage)
    async with made as held:
        yield held


@asynccontextmanager
async def gate_of_postgresql(url: str) -> AsyncIterator[Held]:
    async with Gates.built(url) as gates, AsyncExitStack() as shut:
        await shut.enter_async_context(gates.shut(LOADING))
        held = Held(shut.aclose)
        watching = asyncio.create_task(gates.caught(LOADING))
        watching.add_done_callback(lambda _: held.caught.set())
        yield held
        await watching
        await gates.settled()


@asynccontextmanager
async def gate_of_sqlite(storage: Any) -> AsyncIterator[Held]:
    is_open = threading.Event()

    async def let_go() -> None:
        is_open.set()

    held = Held(let_go)

    def pass_gate() -> int:
        held.caught.set()
        is_open.wait()
        return 1

    await storage._engine._writer._connection.create_function("pass_gate", 0, pass_gate)
    await storage._engine.execute(
        f"CREATE TRIGGER gate BEFORE INSERT ON deals WHEN NEW.quantity = '{MARK}' BEGIN SELECT pass_gate(); END"
    )
    try:
        yield held
    finally:
        is_open.set()


async def opened(rig: Rig, content: bytes, *, length: int | None = None) -> Wire:
    wire = await Wire.open(rig, "Content-Type: text/csv", f"Content-Length: {length or len(content)}")
    await wire.send(content)
    return wire


def stopping(rig: Rig) -> asyncio.Task[None]:
    return asyncio.create_task(rig.client.server.close())


async def customers(rig: Rig) -> list[str]:
    """Of the deals, though nobody listens any more."""
    summary = await rig.storage.deals_summary()
    assert summary is not None
    return [one.name for one in summary.spenders]


def is_given_up(told: Told) -> bool:
    return (told.status, told.body["type"], told.headers["Retry-After"]) == (
        503,
        "/problems/upload-stopped",
        "5",
    )


def statuses(rig: Rig) -> dict[int, float]:
    """How many requests to upload were answered, by status: each is counted, and logged, once."""
    family = next(iter(rig.api.request_metrics.collect()))
    return {
        int(one.labels["status"]): one.value
        for one in family.samples
        if one.name.endswith("_count") and one.labels["route"] == "/api/deals/"
    }


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("kind", [CSV, FORM], ids=["bare", "form"])
async def test_a_client_that_has_sent_half_its_file_is_told_so(rig: Rig, kind: dict[str, str]) -> None:
    wire = await Wire.open(rig, f"Content-Type: {kind['Content-Type']}", f"Content-Length: {LARGE}")
    await wire.send((FILE if kind is CSV else part(FILE)) + b"\n" * (LARGE // 2))
    await until(lambda: rig.api.uploads._in_hand)
    with capture_logs() as logs:
        stop = stopping(rig)
        told = await wire.told()
        assert is_given_up(told)
        assert "stopping" in told.body["detail"]
        wire.close()
        await stop
    assert [line for line in logs if line["log_level"] in {"warning", "error"}] == []
    assert await customers(rig) == ["b"]
    assert await counted(rig) == {"loaded": 1, "failed": 1}
    assert statuses(rig) == {200: 1, 503: 1}


@pytest.mark.usefixtures("hurry")
async def test_a_client_that_goes_on_sending_after_its_answer_is_not_reset(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "LINGER_SECONDS", 3.0)
    wire = await opened(rig, FILE, length=LARGE * 50)
    await until(lambda: rig.api.uploads._in_hand)
    stop = stopping(rig)
    assert is_given_up(await wire.told())
    for _ in range(100):
        await wire.send(b"\n" * 50_000)
        await asyncio.sleep(0)
    wire.writer.write_eof()
    assert await wire.reader.read() == b""
    wire.close()
    await stop


@pytest.mark.usefixtures("hurry")
async def test_loads_at_work_and_those_that_wait_for_them_are_given_up(
    rig: Rig, servers: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with gate(rig, servers) as held:
        loading = await opened(rig, HELD.encode())
        await until(held.caught.is_set)
        waiting = await opened(rig, FILE)
        await until(lambda: rig.api.uploads._loading._waiters)
        stop = stopping(rig)
        for wire in (loading, waiting):
            assert is_given_up(await wire.told())
            wire.close()
        await stop
    await until(lambda: not rig.api.uploads._works)
    assert await customers(rig) == ["b"]
    assert statuses(rig) == {200: 1, 503: 2}
    await rig.storage.forget_replaced_deals()
    assert await count_of_deals(rig) == 1
    assert rig.storage.connections().used == 0
    assert caplog.records == []


async def count_of_deals(rig: Rig) -> int:
    storage: Any = rig.storage
    found: int = await storage._engine.fetchval("SELECT count(*) FROM deals")
    return found


async def test_a_load_that_ends_soon_is_taken(rig: Rig, servers: dict[str, Any]) -> None:
    async with gate(rig, servers) as held:
        wire = await opened(rig, HELD.encode())
        await until(held.caught.is_set)
        stop = stopping(rig)
        await until(lambda: not rig.api.uploads._is_receiving)
        await held.let_go()
        assert (await wire.told()).body == OK
        await stop
    assert "h4000" in await customers(rig)
    wire.close()


async def test_an_upload_that_comes_after_the_others_were_given_up_is_refused_at_once(rig: Rig) -> None:
    rig.api.uploads.stop()
    told = await post(rig, FILE, CSV)
    assert (told.status, told.body["type"]) == (503, "/problems/upload-stopped")
    assert await current(rig) == ["b"]

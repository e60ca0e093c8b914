"""SIGTERM: every process ends in order within 10 s, whatever it is in the middle of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from deploy.servers.valkey import ValkeyServer
from tests.e2e.books import claimed
from tests.e2e.faults import calls_of, fault, heal, visited
from tests.e2e.processes import Running, Stack
from tests.e2e.test_rates import catalog_ready, get

HANGS = """
import asyncio, time
from contextlib import asynccontextmanager
import structlog
from shared.process import run_process

@asynccontextmanager
async def opened(_settings):
    yield serve

async def serve(stop):
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)
    structlog.get_logger().info("works")
    await stop.wait()

raise SystemExit(run_process("hanging", opened))
"""
"""A thread of it does not end."""
DEAF = """
import asyncio
from contextlib import asynccontextmanager
import structlog
from shared import process

process.CUT_OFF_SECONDS = 0.2

@asynccontextmanager
async def opened(_settings):
    yield serve

async def serve(_stop):
    structlog.get_logger().info("works")
    await asyncio.Event().wait()

raise SystemExit(process.run_process("deaf", opened))
"""
"""Serves on, whatever it is asked."""
HANGING = DEAF.replace("= 0.2", "= process.FORCED_SECONDS = 0.2").replace(
    "    await asyncio.Event().wait()",
    """    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            structlog.get_logger().info("does not end")""",
)
"""Goes on even when it is cancelled, as what waits for a server that hangs."""
AT_ONCE = 3.0
"""Seconds: far less than the 7 that what serves has, and enough where the machine is busy."""

LIMIT = 10.0
"""Seconds that a process has between SIGTERM and its end."""


async def stopped(running: Running) -> int:
    """The exit code of a process that ends in time."""
    return await asyncio.wait_for(running.stop(), LIMIT)


async def test_sigterm_under_load_drops_no_request(
    stack: Stack, http: aiohttp.ClientSession, valkey_server: ValkeyServer
) -> None:
    await stack.simulator()
    api = await stack.api()
    worker = await stack.worker()
    await catalog_ready(http, api)
    _, page = await get(http, api, "/api/currencies/?limit=20")
    currency_ids = [one["id"] for one in page["results"]]
    await fault(http, stack, path="quotes", kind="latency", ms=1500)
    asking = [asyncio.create_task(get(http, api, f"/api/latestrate/{one}/")) for one in currency_ids]
    await claimed(valkey_server, currency_ids)
    assert not any(one.done() for one in asking)
    assert await stopped(api) == 0
    answers = await asyncio.gather(*asking)
    assert [status for status, _ in answers] == [200] * 20
    assert await stopped(worker) == 0


async def test_a_worker_stopped_in_the_middle_of_a_refresh_finishes_it(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api()
    worker = await stack.worker()
    await catalog_ready(http, api)
    before = await calls_of(http, stack, "quotes")
    await fault(http, stack, path="quotes", kind="latency", ms=1000, times=1)
    asking = asyncio.create_task(get(http, api, "/api/latestrate/1/"))
    await visited(http, stack, since=before)
    assert not asking.done()
    assert await stopped(worker) == 0
    status, rate = await asking
    assert status == 200, rate
    assert await calls_of(http, stack, "quotes") == before + 1


async def test_an_api_whose_clients_wait_for_a_source_that_hangs_tells_them_and_ends_in_time(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api(REFRESH_TIMEOUT_SECONDS="20")
    await stack.worker()
    await catalog_ready(http, api)
    before = await calls_of(http, stack, "quotes")
    await fault(http, stack, path="quotes", kind="hang")
    asking = asyncio.create_task(get(http, api, "/api/latestrate/1/"))
    await visited(http, stack, since=before)
    assert await stopped(api) == 0
    status, problem = await asking
    assert status == 503, problem
    assert problem["last_rate"]["currency"] == 1


async def test_a_worker_that_waits_for_a_source_that_hangs_ends_in_time_and_leaves_its_command_to_another(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api(REFRESH_TIMEOUT_SECONDS="20")
    worker = await stack.worker()
    await catalog_ready(http, api)
    before = await calls_of(http, stack, "quotes")
    await fault(http, stack, path="quotes", kind="hang")
    asking = asyncio.create_task(get(http, api, "/api/latestrate/1/"))
    await visited(http, stack, since=before)
    assert await stopped(worker) == 0
    assert not asking.done()
    await heal(http, stack)
    await stack.worker()
    status, rate = await asking
    assert status == 200, rate


async def test_an_api_and_a_worker_that_are_stopped_together_while_the_source_hangs_both_end_in_time(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api(REFRESH_TIMEOUT_SECONDS="20")
    worker = await stack.worker()
    await catalog_ready(http, api)
    before = await calls_of(http, stack, "quotes")
    await fault(http, stack, path="quotes", kind="hang")
    asking = asyncio.create_task(get(http, api, "/api/latestrate/1/"))
    await visited(http, stack, since=before)
    assert list(await asyncio.gather(stopped(api), stopped(worker))) == [0, 0]
    status, problem = await asking
    assert status == 503, problem


@asynccontextmanager
async def silence() -> AsyncIterator[tuple[asyncio.Event, int]]:
    """A server that accepts and says nothing: set when somebody came, and its port."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await over.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    try:
        yield asked, server.sockets[0].getsockname()[1]
    finally:
        over.set()
        server.close()


async def test_a_process_that_still_waits_for_its_database_ends_at_once(stack: Stack, tmp_path: Path) -> None:
    waiting = []
    async with silence() as (api_asked, of_api), silence() as (worker_asked, of_worker):
        for name, port in (("api", of_api), ("worker", of_worker)):
            nobody = f"postgresql://freshrate@127.0.0.1:{port}/freshrate"
            env = {**stack.env, "DATABASE_URL": nobody, "API_PORT": "0"}
            waiting.append(await Running.start(name, "-m", name, folder=tmp_path, env=env))
        stack.processes += waiting
        async with asyncio.timeout(20):
            await api_asked.wait()
            await worker_asked.wait()
        async with asyncio.timeout(AT_ONCE):
            assert await asyncio.gather(*map(stopped, waiting)) == [0, 0]
    assert [running.log_text() for running in waiting] == ["", ""]


async def test_what_serves_on_after_the_signal_is_cut_off(stack: Stack, tmp_path: Path) -> None:
    program = tmp_path / "deaf.py"
    program.write_text(DEAF)
    deaf = await Running.start("deaf", str(program), folder=tmp_path, env={})
    stack.processes.append(deaf)
    await deaf.logged("works")
    assert await stopped(deaf) == 0
    assert [line["event"] for line in deaf.log_lines()] == ["works", "cut off"]


async def test_what_goes_on_though_it_was_cut_off_is_left_by_force(stack: Stack, tmp_path: Path) -> None:
    program = tmp_path / "hanging.py"
    program.write_text(HANGING)
    hanging = await Running.start("hanging", str(program), folder=tmp_path, env={})
    stack.processes.append(hanging)
    await hanging.logged("works")
    assert await stopped(hanging) == 1
    assert [line["event"] for line in hanging.log_lines()] == ["works", "cut off", "does not end"]


async def test_a_thread_that_hangs_does_not_hold_up_the_end(stack: Stack, tmp_path: Path) -> None:
    program = tmp_path / "hangs.py"
    program.write_text(HANGS)
    hanging = await Running.start("hanging", str(program), folder=tmp_path, env={})
    stack.processes.append(hanging)
    await hanging.logged("works")
    assert await stopped(hanging) == 0

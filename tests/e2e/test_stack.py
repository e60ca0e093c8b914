"""The production shape without Docker: its servers, its processes, what it survives, and its end."""

import asyncio
import fcntl
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.servers.ports import free_port
from tests.e2e.processes import NO_SOURCE_NAMED, Running
from tests.e2e.test_rates import get
from tests.waiting import until

STOP_LIMIT = 15.0
PROCESSES = ("postgresql", "valkey", "simulator", "api", "worker-pricing", "worker-ranking")


async def start(folder: Path, *, name: str = "stack", **env: str) -> Running:
    port = env.pop("API_PORT", str(free_port()))
    return await Running.start(
        name,
        "-m",
        "deploy.stack",
        "--data",
        str(folder / "data"),
        folder=folder,
        env={"API_PORT": port, "WORKER_METRICS_PORT": "0", **NO_SOURCE_NAMED, **env},
        url=f"http://127.0.0.1:{port}",
    )


async def says(running: Running, text: str, *, seconds: float = 30) -> None:
    async def said() -> bool:
        if running.process.returncode is not None and text not in running.log_text():
            raise AssertionError(f"ended with {running.process.returncode}:\n{running.log_text()}")
        return text in running.log_text()

    await until(said, seconds=seconds, what=f"the stack says {text!r}")


async def fresh_rate(http: aiohttp.ClientSession, running: Running) -> dict[str, Any]:
    status, rate = await get(http, running, "/api/latestrate/1/")
    assert status == 200, rate
    assert rate["source"] == "simulator"
    return dict(rate)


async def fresh_again(http: aiohttp.ClientSession, running: Running) -> dict[str, Any]:
    """After a death: the first answers may still say what is missing."""

    async def is_served() -> bool:
        return await running.answers("/api/latestrate/1/")

    await until(is_served, seconds=20, what="a fresh rate")
    return await fresh_rate(http, running)


async def first_rate(http: aiohttp.ClientSession, running: Running) -> None:
    async def is_there() -> bool:
        return await running.answers("/api/lastrate/1/")

    await until(is_there, seconds=30, what="the first poll")


def children(pid: int) -> list[int]:
    """All processes below this one."""
    try:
        direct = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [*direct, *(below for one in direct for below in children(one))]


def is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def module_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def role_of(pid: int) -> str:
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return next((one.partition("=")[2] for one in variables if one.startswith("WORKER_ROLES=")), "")


def assert_free(folder: Path) -> None:
    """Every process of the stack holds this lock for as long as it lives."""
    with (folder / "data" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def ended(running: Running) -> int:
    return await asyncio.wait_for(running.process.wait(), STOP_LIMIT)


async def test_it_serves_fresh_rates_and_starts_again_whatever_is_killed(
    open_folder: Path, http: aiohttp.ClientSession
) -> None:
    running = await start(open_folder)
    try:
        await says(running, "everything runs")
        await first_rate(http, running)
        before = await fresh_rate(http, running)
        below = children(running.process.pid)
        pricing = next(one for one in below if "-m worker" in module_of(one) and role_of(one) == "pricing")
        os.kill(pricing, signal.SIGKILL)
        await says(running, "worker-pricing is back")
        after = await fresh_again(http, running)
        assert after["fetched_at"] > before["fetched_at"]
        postgres = next(one for one in below if "/postgres -D" in module_of(one))
        os.kill(postgres, signal.SIGKILL)
        await says(running, "postgresql is back")
        assert running.log_text().count("was ended by SIGKILL; it starts again in 1 s") == 2
        last = await fresh_again(http, running)
        assert last["fetched_at"] > after["fetched_at"]
        assert await running.stop() == 0
        assert_free(open_folder)
    finally:
        await running.kill()


async def test_ctrl_c_ends_all_and_the_next_start_finds_the_old_rates(
    open_folder: Path, http: aiohttp.ClientSession
) -> None:
    running = await start(open_folder)
    try:
        await says(running, "everything runs")
        await first_rate(http, running)
        rate = await fresh_rate(http, running)
        second = await start(open_folder, name="second")
        assert await ended(second) == 1
        assert second.log_text().startswith(f"stack: A stack runs on {open_folder}/data already, as process ")
        assert len(second.log_text().splitlines()) == 1

        below = children(running.process.pid)
        assert len(below) > len(PROCESSES)
        running.process.send_signal(signal.SIGINT)
        assert await ended(running) == 0
        assert [one for one in below if is_alive(one)] == []
        assert_free(open_folder)
        for name in PROCESSES:
            assert f"\n{name:<14} | " in running.log_text()

        again = await start(open_folder, name="again")
        try:
            await says(again, "everything runs")
            status, old = await get(http, again, f"/api/ratecurrency/{rate['id']}/")
            assert status == 200, old
            assert old["price_usd"] == rate["price_usd"]
            below = children(again.process.pid)
            await again.kill()

            async def all_gone() -> bool:
                return not any(map(is_alive, below))

            await until(all_gone, seconds=STOP_LIMIT, what="the children of a stack that was killed end")
        finally:
            await again.kill()
    finally:
        await running.kill()


@pytest.mark.parametrize("line", ["The production shape", "api            | "])
async def test_ctrl_c_during_the_start_pressed_twice_leaves_nothing(open_folder: Path, line: str) -> None:
    running = await start(open_folder)
    try:
        await says(running, line)
        running.process.send_signal(signal.SIGINT)
        await says(running, "stopping")
        if running.process.returncode is None:
            running.process.send_signal(signal.SIGINT)
        assert await ended(running) == 0
        assert "Traceback" not in running.log_text()
        assert_free(open_folder)
    finally:
        await running.kill()


async def test_a_port_in_use_is_told_in_one_line(open_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = await start(open_folder, API_PORT=str(port))
        assert await ended(running) == 1
    assert running.log_text().startswith(f"stack: API_PORT: cannot listen on 127.0.0.1 port {port} ")
    assert len(running.log_text().splitlines()) == 1


NO_PYTHON = "sys.executable = '\\0'"
NOTHING_HEEDS = """
def refuse(*_): raise PermissionError(1, "Operation not permitted")
os.kill = os.killpg = refuse
"""


async def start_with(hindrance: str, folder: Path) -> Running:
    return await Running.start(
        "stack",
        "-c",
        f"import os, sys\nfrom deploy.stack.__main__ import main\n{hindrance}\nsys.exit(main())",
        "--data",
        str(folder / "data"),
        folder=folder,
        env={"API_PORT": "0", "WORKER_METRICS_PORT": "0", **NO_SOURCE_NAMED},
    )


async def assert_gets_free(folder: Path) -> None:
    async def is_free() -> bool:
        with suppress(BlockingIOError):
            assert_free(folder)
            return True
        return False

    await until(is_free, seconds=STOP_LIMIT, what="nothing is left running")


@pytest.mark.parametrize("hindrance", ["", NOTHING_HEEDS])
async def test_what_cannot_be_started_is_the_error_whatever_can_be_stopped(
    open_folder: Path, hindrance: str
) -> None:
    running = await start_with(f"{NO_PYTHON}\n{hindrance}", open_folder)
    try:
        assert await ended(running) == 1
        log = running.log_text()
        assert "stack          | simulator cannot be started: embedded null byte\n" in log
        assert "\nstack: simulator did not start; its lines above say why.\n" in log
        assert ("valkey could not be stopped: [Errno 1]" in log) == bool(hindrance)
        assert "simulator could not" not in log
        assert "Traceback" not in log
        await assert_gets_free(open_folder)
    finally:
        await running.kill()


async def test_ctrl_c_where_nothing_can_be_stopped_says_so(open_folder: Path) -> None:
    running = await start_with(NOTHING_HEEDS, open_folder)
    try:
        await says(running, "api            | ")
        running.process.send_signal(signal.SIGINT)
        assert await ended(running) == 1
        left = "api, worker-pricing, worker-ranking, simulator, valkey, postgresql"
        assert f"\nstack: not everything could be stopped ({left}): the next start on " in running.log_text()
        await assert_gets_free(open_folder)
    finally:
        await running.kill()

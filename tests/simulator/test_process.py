"""The real process."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import aiohttp


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[tuple[Process, str]]:
    """The process, and the URL that its first line names."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, stdout=PIPE, stderr=PIPE, env=dict(os.environ)
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 10)
        yield process, line.decode().strip().removeprefix("simulator ready on ")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_process_answers_and_ends_by_sigterm_though_requests_hang() -> None:
    async with (
        running("--port", "0", "--coins", "50", "--tick-ms", "0") as (process, url),
        aiohttp.ClientSession(url) as session,
    ):
        async with session.get("/public-api/v1/cryptocurrency/map") as response:
            assert len((await response.json())["data"]) == 50
        for fault in ({"kind": "hang"}, {"kind": "hang", "stage": "body"}, {"kind": "latency", "ms": 60_000}):
            async with session.post("/faults", json={**fault, "times": 1}) as response:
                assert response.status == 201
        hanging = [asyncio.create_task(read(session, "/v1/latest")) for _ in range(3)]
        while await asked(session) < len(hanging):
            assert process.returncode is None
        stopped = monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 5) == 0
        assert monotonic() - stopped < 1
        await asyncio.gather(*hanging)


async def read(session: aiohttp.ClientSession, path: str) -> bytes:
    try:
        async with session.get(path) as response:
            return await response.read()
    except aiohttp.ClientError:
        return b""


async def asked(session: aiohttp.ClientSession) -> int:
    async with session.get("/calls") as response:
        journal = await response.json()
    return sum(call["path"] == "/v1/latest" for call in journal["calls"])


async def test_latency_is_kept_precisely() -> None:
    async with (
        running("--port", "0", "--latency-ms", "20") as (_, url),
        aiohttp.ClientSession(url) as session,
    ):
        durations = []
        for _ in range(9):
            started = monotonic()
            async with session.get("/v1/currencies") as response:
                await response.read()
            durations.append(monotonic() - started)
    assert 0.02 <= min(durations) < 0.025


async def test_a_port_in_use_is_told_in_one_line() -> None:
    async with running("--port", "0") as (_, url):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulator", "--port", url.rsplit(":", 1)[-1], stdout=PIPE, stderr=PIPE
        )
        _, problem = await process.communicate()
    assert process.returncode == 1
    assert problem.decode().startswith("The simulator cannot listen on 127.0.0.1:")
    assert problem.count(b"\n") == 1


async def test_the_help_shows_the_table_of_faults() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", "--help", stdout=PIPE, stderr=PIPE
    )
    text, _ = await process.communicate()
    assert b"kind       strikes with" in text

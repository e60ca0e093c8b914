"""The embedded form: one process, SQLite, no server."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp

from deploy.servers.ports import free_port
from tests.e2e.processes import NO_SOURCE_NAMED, Running

FIRST_RATE_LIMIT = timedelta(seconds=6)
"""From the first line of the log to the first poll, on a busy machine: `bench/start.py` measures what it takes."""


async def start(folder: Path, **env: str) -> Running:
    port = free_port()
    return await Running.start(
        "standalone",
        "-m",
        "standalone",
        folder=folder,
        env={"API_PORT": str(port), "WORKER_METRICS_PORT": "0", **env},
        url=f"http://127.0.0.1:{port}",
    )


async def test_without_a_source_it_says_so_loudly_and_simulates_in_a_file_of_its_own(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "real = socket.getaddrinfo\n"
        "def offline(host, *args, **kwargs):\n"
        "    if host not in ('127.0.0.1', 'localhost', None):\n"
        "        raise socket.gaierror(-2, 'Name or service not known')\n"
        "    return real(host, *args, **kwargs)\n"
        "socket.getaddrinfo = offline\n"
    )
    running = await start(tmp_path, PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[2]}", **NO_SOURCE_NAMED)
    try:
        await running.ready("/api/lastrate/1/")
        # The first rates may be there a moment before the catalog is.
        await running.ready("/api/latestrate/1/")
        async with http.get(f"{running.url}/api/lastrate/1/") as response:
            assert (await response.json())["source"] == "simulator"
        async with http.get(f"{running.url}/api/docs/") as response:
            assert "simulated" in (await response.text()).lower()
        assert "SIMULATED" in running.log_text()
        assert (tmp_path / "data" / "simulated.db").exists()
        answers = []
        for _ in range(2):
            async with http.get(f"{running.url}/api/latestrate/1/") as response:
                assert response.status == 200
                answers.append(await response.json())
        assert answers[1]["fetched_at"] > answers[0]["fetched_at"]
        assert answers[1]["price_usd"] != answers[0]["price_usd"]
        assert await running.stop() == 0
    finally:
        await running.kill()


async def test_a_source_that_is_named_but_away_is_not_replaced_by_the_simulator(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    running = await start(tmp_path, COINMARKETCAP_URL=f"http://127.0.0.1:{free_port()}")
    try:
        await running.ready("/health/live")
        async with http.get(f"{running.url}/api/latestrate/1/") as response:
            assert response.status == 503
        assert "SIMULATED" not in running.log_text()
        assert not (tmp_path / "data" / "simulated.db").exists()
        assert await running.stop() == 0
    finally:
        await running.kill()


async def test_a_second_process_on_the_same_file_is_refused_in_one_line(tmp_path: Path) -> None:
    env = {
        "COINMARKETCAP_URL": f"http://127.0.0.1:{free_port()}",
        "DATABASE_URL": f"sqlite:///{tmp_path}/x.db",
    }
    first = await start(tmp_path, **env)
    try:
        await first.ready("/health/live")
        second = await Running.start(
            "second",
            "-m",
            "standalone",
            folder=tmp_path,
            env={**env, "API_PORT": str(free_port()), "WORKER_METRICS_PORT": "0"},
        )
        assert await asyncio.wait_for(second.process.wait(), 15) == 1
        assert "freshrate:" in second.log_text().splitlines()[-1]
        assert "Traceback" not in second.log_text()
    finally:
        await first.kill()


async def test_the_first_rate_comes_by_itself_right_after_the_start(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    port = free_port()
    simulator = await Running.start(
        "simulator",
        "-m",
        "simulator",
        "--port",
        str(port),
        folder=tmp_path,
        env={},
        url=f"http://127.0.0.1:{port}",
    )
    await simulator.ready("/calls")
    running = await start(tmp_path, SOURCES="simulator", SIMULATOR_URL=simulator.url)
    try:
        await running.ready("/api/lastrate/1/")
        async with http.get(f"{running.url}/api/lastrate/1/") as response:
            rate = await response.json()
        assert await running.stop() == 0
        earliest = min(moment(line["timestamp"]) for line in running.log_lines())
        assert timedelta(0) <= moment(rate["fetched_at"]) - earliest < FIRST_RATE_LIMIT
    finally:
        await running.kill()
        await simulator.kill()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)

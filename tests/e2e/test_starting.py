"""How processes start, and refuse to."""

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from deploy.servers.ports import free_port
from simulator.coins import load_fiats
from tests.e2e.faults import calls_of
from tests.e2e.processes import Running, Stack
from tests.e2e.test_rates import catalog_ready, get

FIATS = {fiat.id for fiat in load_fiats()}


async def ended(name: str, folder: Path, **env: str) -> tuple[int, str]:
    running = await Running.start(name, "-m", name, folder=folder, env=env)
    try:
        code = await asyncio.wait_for(running.process.wait(), 20)
    finally:
        await running.kill()
    return code, running.log_text()


@pytest.mark.parametrize("name", ["api", "worker"])
async def test_without_its_servers_a_process_refuses_and_says_what_to_set(name: str, tmp_path: Path) -> None:
    code, text = await ended(name, tmp_path)
    assert code == 1
    assert "DATABASE_URL" in text
    assert "REDIS_URL" in text
    assert len(text.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["api", "worker", "standalone"])
async def test_a_wrong_setting_stops_the_start_with_one_line(name: str, tmp_path: Path) -> None:
    code, text = await ended(name, tmp_path, PRICE_SCHEDULE="often")
    assert code == 1
    assert "PRICE_SCHEDULE: " in text
    assert len(text.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["api", "worker", "standalone"])
async def test_help_is_shown_and_nothing_is_started(name: str, tmp_path: Path) -> None:
    running = await Running.start(name, "-m", name, "--help", folder=tmp_path, env={})
    try:
        code = await asyncio.wait_for(running.process.wait(), 20)
    finally:
        await running.kill()
    assert code == 0
    assert running.log_text().startswith(f"usage: python -m {name}")


async def test_a_database_that_is_away_is_waited_for_in_plain_words_without_its_password(
    tmp_path: Path,
) -> None:
    port = free_port()
    running = await Running.start(
        "worker",
        "-m",
        "worker",
        folder=tmp_path,
        env={
            "DATABASE_URL": f"postgresql://freshrate:secret@127.0.0.1:{port}/freshrate",
            "REDIS_URL": "redis://127.0.0.1:1",
        },
    )
    try:
        line = await running.logged("waiting for the database")
        assert await asyncio.wait_for(running.stop(), 3) == 0
    finally:
        await running.kill()
    assert line["level"] == "warning"
    assert f"PostgreSQL at 127.0.0.1:{port}/freshrate does not answer" in line["error"]
    assert [one["event"] for one in running.log_lines()] == ["waiting for the database"]
    assert "secret" not in running.log_text()


async def test_an_old_schema_is_refused_where_migrating_is_off(
    tmp_path: Path, empty_postgresql_url: str, redis_url: str
) -> None:
    code, text = await ended(
        "worker", tmp_path, DATABASE_URL=empty_postgresql_url, REDIS_URL=redis_url, MIGRATE_ON_START="false"
    )
    assert code == 1
    assert "Traceback" not in text
    assert "migrations" in text


async def test_many_processes_may_start_on_an_empty_database_at_once_and_each_job_runs_once(
    tmp_path: Path, empty_postgresql_url: str, redis_url: str, http: aiohttp.ClientSession
) -> None:
    stack = Stack(
        tmp_path, {"DATABASE_URL": empty_postgresql_url, "REDIS_URL": redis_url, "TRACKED_TOP": "5"}
    )
    try:
        await stack.simulator()
        *_, api = await asyncio.gather(*(stack.worker() for _ in range(3)), stack.api())
        await catalog_ready(http, api)
        status, page = await get(http, api, "/api/ratescurrency/?limit=1000")
        assert status == 200
        assert {*Counter(rate["currency"] for rate in page["results"]).values()} == {1}
        assert len([rate for rate in page["results"] if rate["currency"] not in FIATS]) == 5
        for path in ("cryptocurrency/map", "fiat/map", "/v1/latest"):
            assert await calls_of(http, stack, path) == 1
    finally:
        await stack.close()


async def test_the_api_listens_on_every_port_that_is_named(stack: Stack, http: aiohttp.ClientSession) -> None:
    ports = [free_port(), free_port()]
    running = await stack._start(
        "api",
        "-m",
        "api",
        env={"API_PORT": ",".join(map(str, ports))},
        url=f"http://127.0.0.1:{ports[0]}",
    )
    await running.ready("/health/live")
    async with http.get(f"http://127.0.0.1:{ports[1]}/health/live") as response:
        assert response.status == 200


async def test_a_port_that_is_taken_is_told_in_one_line(stack: Stack) -> None:
    api = await stack.api()
    port = api.url.rpartition(":")[2]
    second = await stack._start("api", "-m", "api", env={"API_PORT": port})
    assert await asyncio.wait_for(second.process.wait(), 15) == 1
    assert "API_PORT" in second.log_text().splitlines()[-1]
    assert "Traceback" not in second.log_text()


async def test_the_check_tells_a_living_worker(stack: Stack) -> None:
    await stack.simulator()
    worker = await stack.worker()
    env = {**stack.env, "WORKER_ROLES": "pricing"}

    async def check() -> int:
        running = await Running.start("check", "-m", "worker", "--check", folder=stack.folder, env=env)
        return await running.process.wait()

    assert await check() == 0
    await worker.stop()
    assert await check() == 1

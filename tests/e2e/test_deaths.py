"""What happens when each part dies. Every test kills a real process or server."""

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.faults import fault, heal
from tests.e2e.processes import Running, Stack, until
from tests.e2e.test_rates import catalog_ready, get
from tests.servers.postgresql import PostgresServer
from tests.servers.valkey import ValkeyServer

DYING_WORKER = """
import os, sys
from shared.queue.redis import RedisQueue
finish = RedisQueue.finish
async def die(self, *args, done=(), **kwargs):
    if done:
        sys.stderr.write("dying between commit and announcement\\n")
        os._exit(9)
    await finish(self, *args, **kwargs)
RedisQueue.finish = die
from worker.__main__ import main
sys.argv = ["worker"]
sys.exit(main())
"""


async def test_a_worker_killed_in_the_middle_of_a_refresh_strands_nobody(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api()
    first = await stack.worker()
    await catalog_ready(http, api)
    await fault(http, stack, path="quotes", kind="latency", ms=1500, times=1)
    asking = asyncio.create_task(get(http, api, "/api/latestrate/1/"))
    await asyncio.sleep(0.5)
    await stack.worker()
    await first.kill()
    status, rate = await asking
    assert status == 200, rate


async def test_a_worker_that_dies_between_commit_and_announcement_costs_seconds_not_truth(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api()
    good = await stack.worker()
    await catalog_ready(http, api)
    await good.stop()
    dying = await stack._start("worker", "-c", DYING_WORKER, env={"WORKER_METRICS_PORT": "0"})
    await dying.logged("worker ready")
    asking = asyncio.create_task(get(http, api, "/api/latestrate/1/"))
    await asyncio.wait_for(dying.process.wait(), 10)
    await stack.worker()
    status, rate = await asking
    assert status == 200, rate
    _, page = await get(http, api, "/api/ratescurrency/1/")
    stamps = [one["actual_date"] for one in page["results"]]
    assert len(stamps) == len(set(stamps))


async def test_the_api_process_that_claimed_dies_and_the_others_still_get_theirs(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    claiming, other = await stack.api(), await stack.api()
    await stack.worker()
    for api in (claiming, other):
        await catalog_ready(http, api)
    await fault(http, stack, path="quotes", kind="latency", ms=1000, times=1)
    first = asyncio.create_task(get(http, claiming, "/api/latestrate/1/"))
    await asyncio.sleep(0.2)
    second = asyncio.create_task(get(http, other, "/api/latestrate/1/"))
    await asyncio.sleep(0.2)
    await claiming.kill()
    status, rate = await second
    assert status == 200, rate
    with pytest.raises(aiohttp.ClientError):
        await first


async def test_no_worker_is_said_at_once(stack: Stack, http: aiohttp.ClientSession) -> None:
    await stack.simulator()
    api = await stack.api()
    worker = await stack.worker()
    await catalog_ready(http, api)
    assert await worker.stop() == 0
    started = time.monotonic()
    status, problem = await get(http, api, "/api/latestrate/1/")
    assert status == 503, problem
    assert problem["last_rate"]["currency"] == 1
    assert time.monotonic() - started < 2


async def test_a_hanging_source_ends_at_the_deadline(stack: Stack, http: aiohttp.ClientSession) -> None:
    await stack.simulator()
    api = await stack.api(REFRESH_TIMEOUT_SECONDS="2")
    await stack.worker()
    await catalog_ready(http, api)
    await fault(http, stack, path="quotes", kind="hang")
    started = time.monotonic()
    status, problem = await get(http, api, "/api/latestrate/1/")
    took = time.monotonic() - started
    assert status in {502, 504}, problem
    assert took < 2.25 + 0.25
    assert problem["last_rate"]["currency"] == 1
    status, last = await get(http, api, "/api/lastrate/1/")
    assert status == 200
    assert last["id"] == problem["last_rate"]["id"]
    await heal(http, stack)

    async def works() -> bool:
        status, _ = await get(http, api, "/api/latestrate/1/")
        return status == 200

    await until(works, seconds=15, what="the refresh after the source is back")


@pytest.fixture
def own_valkey(tmp_path: Path) -> ValkeyServer:
    return ValkeyServer(tmp_path / "valkey")


async def refresh_until(http: aiohttp.ClientSession, api: Running, stop: asyncio.Event) -> list[int]:
    statuses = []
    while not stop.is_set():
        status, _ = await get(http, api, "/api/latestrate/1/")
        statuses.append(status)
        await asyncio.sleep(0.01)
    return statuses


async def test_redis_restarted_empty_under_load_is_survived_by_itself(
    stack: Stack, http: aiohttp.ClientSession, own_valkey: ValkeyServer
) -> None:
    own_valkey.start()
    try:
        stack.env["REDIS_URL"] = own_valkey.url
        await stack.simulator()
        apis = [await stack.api(), await stack.api()]
        await stack.worker()
        for api in apis:
            await catalog_ready(http, api)
        stop = asyncio.Event()
        load = [asyncio.create_task(refresh_until(http, apis[n % 2], stop)) for n in range(8)]
        await asyncio.sleep(0.5)
        await asyncio.to_thread(own_valkey.restart_empty)
        await asyncio.sleep(0.1)
        back = time.monotonic()

        async def works() -> bool:
            return all([(await get(http, api, "/api/latestrate/1027/"))[0] == 200 for api in apis])

        await until(works, seconds=5, what="refreshes after Redis is back")
        assert time.monotonic() - back < 5
        await asyncio.sleep(0.5)
        stop.set()
        statuses = [status for one in await asyncio.gather(*load) for status in one]
        assert set(statuses) <= {200, 503}
        assert statuses[-1] == 200
    finally:
        own_valkey.stop()


async def test_with_redis_down_reads_go_on_and_a_refresh_says_503_within_two_seconds(
    stack: Stack, http: aiohttp.ClientSession, own_valkey: ValkeyServer
) -> None:
    own_valkey.start()
    try:
        stack.env["REDIS_URL"] = own_valkey.url
        await stack.simulator()
        api = await stack.api()
        await stack.worker()
        await catalog_ready(http, api)
        own_valkey.kill()
        started = time.monotonic()
        status, problem = await get(http, api, "/api/latestrate/1/")
        assert status == 503, problem
        assert time.monotonic() - started < 2
        assert (await get(http, api, "/api/lastrate/1/"))[0] == 200
        assert (await get(http, api, "/api/ratescurrency/"))[0] == 200
        assert (await get(http, api, "/health/live"))[0] == 200
        assert (await get(http, api, "/health/ready"))[0] == 503
    finally:
        own_valkey.stop()


async def test_after_the_database_returns_service_is_back_within_five_seconds(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    server = PostgresServer()
    server.start()
    try:
        stack.env["DATABASE_URL"] = server.url("postgres")
        await stack.simulator()
        api = await stack.api()
        await stack.worker()
        await catalog_ready(http, api)
        await asyncio.to_thread(server.stop)
        assert (await get(http, api, "/api/lastrate/1/"))[0] == 200
        assert (await get(http, api, "/api/ratescurrency/"))[0] == 503
        status, problem = await get(http, api, "/api/latestrate/1/")
        assert status == 503, problem
        await asyncio.to_thread(server.start)

        async def works() -> bool:
            return (await get(http, api, "/api/latestrate/1/"))[0] == 200

        await until(works, seconds=5, what="refreshes after the database is back")
        assert (await get(http, api, "/api/ratescurrency/"))[0] == 200
    finally:
        server.remove()


async def test_sigterm_under_load_drops_no_request(stack: Stack, http: aiohttp.ClientSession) -> None:
    await stack.simulator()
    api = await stack.api()
    worker = await stack.worker()
    await catalog_ready(http, api)
    await fault(http, stack, path="quotes", kind="latency", ms=300)
    asking = [
        asyncio.create_task(get(http, api, f"/api/latestrate/{one}/"))
        for one in (1, 1027, 1839, 52)
        for _ in range(5)
    ]
    await asyncio.sleep(0.1)
    started = time.monotonic()
    assert await api.stop() == 0
    answers = await asyncio.gather(*asking)
    assert [status for status, _ in answers] == [200] * 20
    assert await worker.stop() == 0
    assert time.monotonic() - started < 10


async def test_a_worker_stopped_in_the_middle_of_a_refresh_finishes_it(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api()
    worker = await stack.worker()
    await catalog_ready(http, api)
    await fault(http, stack, path="quotes", kind="latency", ms=500, times=1)
    asking = asyncio.create_task(get(http, api, "/api/latestrate/1/"))
    await asyncio.sleep(0.2)
    assert await worker.stop() == 0
    status, rate = await asking
    assert status == 200, rate

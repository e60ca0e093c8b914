"""What happens when a worker or an API process dies, or stands still. Every test strikes a real process."""

import asyncio
import signal
import time

import aiohttp
import pytest

from deploy.servers.valkey import ValkeyServer
from tests.e2e.books import claimed, entry, holder_of, is_claimed
from tests.e2e.faults import calls_of, fault, visited
from tests.e2e.processes import Stack
from tests.e2e.test_rates import catalog_ready, get

PATIENT = {"REFRESH_TIMEOUT_SECONDS": "25"}
"""So that no deadline ends what a busy machine takes longer for."""

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
    stack: Stack, http: aiohttp.ClientSession, valkey_server: ValkeyServer
) -> None:
    await stack.simulator()
    api = await stack.api(**PATIENT)
    workers = [await stack.worker(), await stack.worker()]
    await catalog_ready(http, api)
    before = await calls_of(http, stack, "quotes")
    await fault(http, stack, path="quotes", kind="latency", ms=5000, times=1)
    asking = asyncio.create_task(get(http, api, "/api/latestrate/1/"))
    await visited(http, stack, since=before)
    await (await holder_of(valkey_server, workers)).kill()
    assert not asking.done()
    status, rate = await asking
    assert status == 200, rate
    assert await calls_of(http, stack, "quotes") == before + 2


async def test_a_worker_that_dies_between_commit_and_announcement_costs_seconds_not_truth(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api(**PATIENT)
    good = await stack.worker()
    await catalog_ready(http, api)
    await good.stop()
    _, page = await get(http, api, "/api/ratescurrency/1/")
    polled = [one["id"] for one in page["results"]]
    # A poll of the ranking would bring rates too.
    only_pricing = {"WORKER_METRICS_PORT": "0", "WORKER_ROLES": "pricing"}
    dying = await stack._start("worker", "-c", DYING_WORKER, env=only_pricing)
    await dying.logged("worker ready")
    await fault(http, stack, path="quotes", kind="unchanged")
    asking = asyncio.create_task(get(http, api, "/api/latestrate/1/"))
    assert await asyncio.wait_for(dying.process.wait(), 10) == 9
    _, page = await get(http, api, "/api/ratescurrency/1/")
    committed, *others = [one["id"] for one in page["results"]]
    assert others == polled
    assert not asking.done()
    await stack.worker()
    status, rate = await asking
    assert status == 200, rate
    assert rate["id"] == committed
    _, page = await get(http, api, "/api/ratescurrency/1/")
    assert [one["id"] for one in page["results"]] == [committed, *polled]


async def test_the_api_process_that_claimed_dies_and_the_others_still_get_theirs(
    stack: Stack, http: aiohttp.ClientSession, valkey_server: ValkeyServer
) -> None:
    await stack.simulator()
    claiming, other = await stack.api(), await stack.api()
    await stack.worker()
    for api in (claiming, other):
        await catalog_ready(http, api)
    before = await calls_of(http, stack, "quotes")
    await fault(http, stack, path="quotes", kind="latency", ms=3000, times=1)
    first = asyncio.create_task(get(http, claiming, "/api/latestrate/1/"))
    await claimed(valkey_server, [1])
    second = asyncio.create_task(get(http, other, "/api/latestrate/1/"))
    await visited(http, stack, since=before)
    await claiming.kill()
    assert is_claimed(valkey_server, 1)
    assert not second.done()
    status, rate = await second
    assert status == 200, rate
    assert await calls_of(http, stack, "quotes") == before + 1
    with pytest.raises(aiohttp.ClientError):
        await first


async def test_a_worker_that_stands_still_for_five_seconds_is_replaced_and_does_no_harm_when_it_goes_on(
    stack: Stack, http: aiohttp.ClientSession, valkey_server: ValkeyServer
) -> None:
    await stack.simulator()
    api = await stack.api(**PATIENT)
    workers = [await stack.worker(), await stack.worker()]
    await catalog_ready(http, api)
    before = await calls_of(http, stack, "quotes")
    await fault(http, stack, path="quotes", kind="latency", ms=2000, times=1)
    asking = asyncio.create_task(get(http, api, "/api/latestrate/1/"))
    await visited(http, stack, since=before)
    still = await holder_of(valkey_server, workers)
    still.process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    status, rate = await asking
    assert status == 200, rate
    await asyncio.sleep(stopped + 5 - time.monotonic())
    still.process.send_signal(signal.SIGCONT)
    await still.logged("refreshed")
    assert entry(valkey_server, "accepted") == entry(valkey_server, "done") == 1
    assert entry(valkey_server, "dead") == 0
    answers = await asyncio.gather(*(get(http, api, f"/api/latestrate/{one}/") for one in (1, 1027, 1839)))
    assert [status for status, _ in answers] == [200] * 3
    assert [await one.stop() for one in (api, *workers)] == [0, 0, 0]
    lines = [line for running in (api, *workers) for line in running.log_lines()]
    assert [line for line in lines if line["level"] == "error"] == []
    requests = [line for line in lines if line.get("path") == "/api/latestrate/1/"]
    assert [line["status"] for line in requests] == [200, 200]


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

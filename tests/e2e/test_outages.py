"""What happens when the source hangs, or Redis or the database is away. Every test strikes a real server."""

import asyncio
import time
from collections.abc import Sequence

import aiohttp

from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer
from tests.e2e.faults import fault, heal
from tests.e2e.processes import Running, Stack
from tests.e2e.test_rates import catalog_ready, get
from tests.waiting import until


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


class Load:
    """Eight clients that refresh without end, on several processes in turn."""

    def __init__(self, http: aiohttp.ClientSession, apis: Sequence[Running]) -> None:
        self.statuses: list[int] = []
        self._http = http
        self._stop = asyncio.Event()
        self._clients = [asyncio.create_task(self._refresh(apis[n % len(apis)])) for n in range(8)]

    async def more(self, count: int) -> None:
        """Returns when so many more answers have come."""
        goal = len(self.statuses) + count

        async def are_here() -> bool:
            return len(self.statuses) >= goal

        await until(are_here, seconds=15, what=f"{count} more answers")

    async def end(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._clients)

    async def _refresh(self, api: Running) -> None:
        while not self._stop.is_set():
            status, _ = await get(self._http, api, "/api/latestrate/1/")
            self.statuses.append(status)
            await asyncio.sleep(0.01)


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
        load = Load(http, apis)
        await load.more(50)
        await asyncio.to_thread(own_valkey.restart_empty)

        async def works() -> bool:
            return all([(await get(http, api, "/api/latestrate/1027/"))[0] == 200 for api in apis])

        await until(works, seconds=5, what="refreshes after Redis is back")
        await load.more(50)
        await load.end()
        assert set(load.statuses) <= {200, 503}
        assert load.statuses[-8:] == [200] * 8
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
        assert (status, problem["type"]) == (503, "/problems/database-unavailable"), problem
        await asyncio.to_thread(server.start)

        async def works() -> bool:
            return (await get(http, api, "/api/latestrate/1/"))[0] == 200

        await until(works, seconds=5, what="refreshes after the database is back")
        assert (await get(http, api, "/api/ratescurrency/"))[0] == 200
    finally:
        server.remove()

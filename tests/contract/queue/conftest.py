"""Every test of this suite runs against both queues."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from deploy.servers.valkey import ValkeyServer
from tests.contract.queue.arena import Arena, OpenArena, in_process_arena, redis_arena


@pytest.fixture(scope="session", params=["in_process", "redis"])
def open_arena(request: pytest.FixtureRequest) -> OpenArena:
    if request.param == "in_process":
        return in_process_arena
    server: ValkeyServer = request.getfixturevalue("valkey_server")

    def emptied() -> AbstractAsyncContextManager[Arena]:
        server.ask("FLUSHALL")
        return redis_arena(server.url)

    return emptied


@pytest.fixture
async def arena(open_arena: OpenArena) -> AsyncIterator[Arena]:
    async with open_arena() as arena:
        yield arena

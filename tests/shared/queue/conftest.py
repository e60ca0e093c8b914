"""A queue in a real, empty Redis, and Redis itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from deploy.servers.valkey import ValkeyServer
from shared.queue.redis import RedisQueue


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[RedisQueue]:
    queue = RedisQueue(redis_url)
    yield queue
    await queue.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[ValkeyServer]:
    """A server of the test's own, to kill."""
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def mortal_queue(mortal: ValkeyServer) -> AsyncIterator[RedisQueue]:
    queue = RedisQueue(mortal.url)
    yield queue
    await queue.close()

"""The stack of the end-to-end tests: real PostgreSQL, real Valkey, real processes."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from deploy.servers.valkey import ValkeyServer
from tests.e2e.processes import Stack


@pytest.fixture
async def stack(tmp_path: Path, postgresql_url: str, redis_url: str) -> AsyncIterator[Stack]:
    """Starts nothing by itself; ends whatever the test started."""
    running = Stack(
        tmp_path,
        {
            "DATABASE_URL": postgresql_url,
            "REDIS_URL": redis_url,
            "REFRESHES_PER_MINUTE": "0",
            "COINMARKETCAP_CALLS_PER_MINUTE": "0",
            "PRICE_SCHEDULE": "1h",
            "TRACKED_TOP": "20",
        },
        are_forked=True,
    )
    yield running
    await running.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


@pytest.fixture
def own_valkey(tmp_path: Path) -> ValkeyServer:
    """For a test that kills it; not started yet."""
    return ValkeyServer(tmp_path / "valkey")

"""One suite for both databases: a test that asks for `storage` runs on each. What follows it is for PostgreSQL only."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.servers.postgresql import PostgresServer
from shared.ports import Storage
from shared.settings import Settings
from shared.storage import open_storage
from tests.servers import sqlite_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "freshrate.db")
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
async def storage(database: str) -> AsyncIterator[Storage]:
    opened = await open_storage(Settings(database_url=database))
    yield opened
    await opened.close()


@pytest.fixture
async def storages(postgresql_url: str) -> AsyncIterator[tuple[Storage, Storage]]:
    """What two processes see of one database."""
    first = await open_storage(Settings(database_url=postgresql_url))
    second = await open_storage(Settings(database_url=postgresql_url))
    yield first, second
    await first.close()
    await second.close()


@pytest.fixture
async def connection(postgresql_url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    opened = await asyncpg.connect(postgresql_url)
    yield opened
    await opened.close()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    server = PostgresServer()
    server.start()
    yield server
    server.remove()

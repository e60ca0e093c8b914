"""PostgreSQL stops, hangs, cuts statements off, and comes back: what callers see of it."""

import asyncio
import time

import pytest

from deploy.servers.postgresql import PostgresServer
from shared.errors import StorageUnavailable
from shared.ports import Storage
from shared.settings import Settings
from shared.storage import open_storage
from shared.storage.deals_postgresql import PostgresDealsWriter
from shared.storage.postgresql import PostgresEngine
from shared.storage.recording_postgresql import PostgresRateWriter
from shared.storage.sql_storage import SqlStorage
from tests.contract.storage.samples import NOW, load_currencies, observation


async def test_a_stopped_server_is_said_at_once_and_service_returns_with_it(
    own_server: PostgresServer,
) -> None:
    storage = await open_storage(Settings(database_url=own_server.url(own_server.create_database())))
    try:
        await load_currencies(storage, 1)
        [before] = await storage.record_rates([observation()], fetched_at=NOW, stored_at=NOW)
        for end in (own_server.stop, own_server.kill):
            end()
            started = time.monotonic()
            for _ in range(3):
                with pytest.raises(StorageUnavailable) as caught:
                    await storage.ping()
                with pytest.raises(StorageUnavailable):
                    await storage.record_rates([observation()], fetched_at=NOW, stored_at=NOW)
            assert time.monotonic() - started < 2
            assert str(caught.value).startswith(
                f"PostgreSQL at 127.0.0.1:{own_server.port}/test_1 does not answer"
            )
            own_server.start()
            async with asyncio.timeout(5):
                assert await storage.last_rates() == [before.rate]
    finally:
        await storage.close()


async def test_a_statement_cut_by_the_server_is_storage_unavailable_and_the_next_one_works(
    postgresql_server: PostgresServer, storages: tuple[Storage, Storage], postgresql_url: str
) -> None:
    database = postgresql_url.rpartition("/")[2]
    engine = await PostgresEngine.open(postgresql_url)
    try:
        sleeping = asyncio.create_task(engine.fetch("SELECT pg_sleep(60)"))
        while not postgresql_server.execute(  # noqa: ASYNC110 - another session cannot be awaited
            f"""
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = '{database}' AND query = 'SELECT pg_sleep(60)'
            """
        ):
            await asyncio.sleep(0.01)
        with pytest.raises(StorageUnavailable):
            await sleeping
        assert await engine.fetchval("SELECT 1") == 1
    finally:
        await engine.close()


async def test_a_server_that_hangs_is_given_up_after_the_time_limit(own_server: PostgresServer) -> None:
    engine = await PostgresEngine.open(own_server.url("postgres"), command_seconds=0.5)
    storage = SqlStorage(engine, PostgresRateWriter(engine), PostgresDealsWriter(engine))
    try:
        own_server.pause()
        async with asyncio.timeout(5):
            with pytest.raises(StorageUnavailable):
                await storage.ping()
        own_server.resume()
        async with asyncio.timeout(5):
            await storage.ping()
    finally:
        own_server.resume()
        await storage.close()


async def test_a_statement_that_takes_too_long_is_stopped(postgresql_url: str) -> None:
    engine = await PostgresEngine.open(postgresql_url, command_seconds=0.2)
    try:
        with pytest.raises(StorageUnavailable, match="TimeoutError"):
            await engine.fetch("SELECT pg_sleep(60)")
        assert await engine.fetchval("SELECT 1") == 1
    finally:
        await engine.close()


async def test_a_closed_storage_is_unavailable(postgresql_url: str) -> None:
    storage = await open_storage(Settings(database_url=postgresql_url))
    await storage.close()
    with pytest.raises(StorageUnavailable):
        await storage.ping()

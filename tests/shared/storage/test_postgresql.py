"""PostgreSQL: what the engine makes of answers and refusals."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import asyncpg
import pytest

from deploy.servers.postgresql import PostgresServer
from shared.errors import StorageUnavailable
from shared.storage import postgresql
from shared.storage.engine import UnknownReference
from shared.storage.postgresql import PostgresEngine
from tests.waiting import until


@pytest.fixture
async def engine(postgresql_url: str) -> AsyncIterator[PostgresEngine]:
    opened = await PostgresEngine.open(postgresql_url)
    await opened.execute("CREATE TABLE counts (n bigint PRIMARY KEY)")
    yield opened
    await opened.close()


async def test_changed_rows_are_counted(engine: PostgresEngine) -> None:
    await engine.executemany("INSERT INTO counts VALUES ($1)", [(1,), (2,), (3,)])
    assert await engine.execute("UPDATE counts SET n = n + 10 WHERE n > $1", 1) == 2
    assert await engine.execute("DELETE FROM counts") == 3
    assert await engine.execute("CREATE TABLE more (n bigint)") == 0


async def test_many_arguments_are_all_or_none(engine: PostgresEngine) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await engine.executemany("INSERT INTO counts VALUES ($1)", [(1,), (1,)])
    assert await engine.fetchval("SELECT count(*) FROM counts") == 0


async def test_a_transaction_that_fails_changes_nothing(engine: PostgresEngine) -> None:
    async def write() -> None:
        async with engine.transaction() as session:
            await session.executemany("INSERT INTO counts VALUES ($1)", [(1,)])
            assert await session.fetchrow("SELECT n FROM counts") == (1,)
            assert len(await session.fetch("SELECT n FROM counts")) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write()
    assert await engine.fetchrow("SELECT n FROM counts") is None


async def test_a_transaction_of_the_caller_that_broke_does_not_reach_the_next(engine: PostgresEngine) -> None:
    async def write_twice() -> None:
        async with engine.transaction() as session:
            await session.execute("INSERT INTO counts VALUES (1)")
            await session.execute("INSERT INTO counts VALUES (1)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await write_twice()
    assert await engine.execute("INSERT INTO counts VALUES (1)") == 1


async def test_the_server_ends_what_takes_too_long(engine: PostgresEngine) -> None:
    async with engine.transaction() as session:
        settings = [
            await session.fetchval(f"SHOW {name}")
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit")
        ]
    assert settings == ["10s", "5s", "30s", "off"]


async def test_a_lock_that_is_not_given_is_storage_unavailable(engine: PostgresEngine) -> None:
    async def wait_shortly() -> None:
        async with engine.transaction() as waiter:
            await waiter.execute("SET LOCAL lock_timeout = '10ms'")
            await waiter.execute("UPDATE counts SET n = 3")

    await engine.execute("INSERT INTO counts VALUES (1)")
    async with engine.transaction() as holder:
        await holder.execute("UPDATE counts SET n = 2")
        with pytest.raises(StorageUnavailable, match="lock"):
            await wait_shortly()


async def test_a_deadlock_is_storage_unavailable_for_one_of_the_two(engine: PostgresEngine) -> None:
    await engine.executemany("INSERT INTO counts VALUES ($1)", [(1,), (2,)])
    both_hold = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with engine.transaction() as session:
            await session.execute("UPDATE counts SET n = n WHERE n = $1", first)
            await both_hold.wait()
            await session.execute("UPDATE counts SET n = n WHERE n = $1", second)

    ended = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert [type(one) for one in ended if one is not None] == [StorageUnavailable]


async def test_a_pool_without_a_free_connection_is_storage_unavailable(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def all_are_used() -> bool:
        return engine.connections().used == postgresql.CONNECTIONS

    sleeping = [
        asyncio.create_task(engine.fetch("SELECT pg_sleep(30)")) for _ in range(postgresql.CONNECTIONS)
    ]
    await until(all_are_used, seconds=5, what="every connection in use")
    monkeypatch.setattr(postgresql, "ACQUIRE_SECONDS", 0.05)
    with pytest.raises(StorageUnavailable):
        await engine.fetchval("SELECT 1")
    for one in sleeping:
        one.cancel()
    await asyncio.gather(*sleeping, return_exceptions=True)
    monkeypatch.undo()
    assert await engine.fetchval("SELECT 1") == 1


async def test_defects_stay_defects(engine: PostgresEngine) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await engine.fetch("SELECT * FROM nowhere")
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await engine.fetch("SELEC")
    with pytest.raises(asyncpg.DataError, match="invalid input"):
        await engine.fetchval("SELECT $1::bigint", "one")


async def test_an_unknown_reference_is_told_from_other_violations(engine: PostgresEngine) -> None:
    await engine.execute("CREATE TABLE others (n bigint REFERENCES counts (n))")
    with pytest.raises(UnknownReference):
        await engine.execute("INSERT INTO others VALUES (1)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await engine.executemany("INSERT INTO counts VALUES ($1)", [(1,), (1,)])


async def test_closing_does_not_wait_for_ever(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "COMMAND_SECONDS", 0.05)
    sleeping = asyncio.create_task(engine.fetch("SELECT pg_sleep(60)"))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        await engine.close()
    with pytest.raises(StorageUnavailable):
        await sleeping


async def test_whoever_gives_up_on_a_server_that_hangs_waits_no_longer_for_the_connection(
    engine: PostgresEngine, postgresql_server: PostgresServer
) -> None:
    loop = asyncio.get_running_loop()
    postgresql_server.pause()
    try:
        began = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await engine.fetchval("SELECT 1")
        took = loop.time() - began
    finally:
        postgresql_server.resume()
    assert took < 1
    assert await engine.fetchval("SELECT 1") == 1


async def test_a_spare_connection_that_broke_meanwhile_is_replaced_unnoticed(
    engine: PostgresEngine, postgresql_url: str
) -> None:
    backend = await engine.fetchval("SELECT pg_backend_pid()")
    killer = await asyncpg.connect(postgresql_url)
    await killer.execute("SELECT pg_terminate_backend($1, 5000)", backend)
    await killer.close()

    async def loss_has_arrived() -> bool:
        return engine.connections().used + engine.connections().idle == 0

    await until(loss_has_arrived, seconds=5, what="the loss is noticed")
    assert await engine.fetchval("SELECT pg_backend_pid()") != backend


async def test_a_certificate_that_is_not_the_hosts_is_no_mistake_in_the_url() -> None:
    with pytest.raises(StorageUnavailable, match="certificate verify failed"), postgresql.errors_of("db"):
        raise ssl.SSLCertVerificationError(1, "certificate verify failed: Hostname mismatch")


def test_a_driver_that_loses_its_connection_in_an_answer_is_storage_unavailable() -> None:
    lost = asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
    with pytest.raises(StorageUnavailable, match="does not answer"), postgresql.errors_of("host/name"):
        raise lost

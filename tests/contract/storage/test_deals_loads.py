"""Loads of deals that fail, are given up, meet each other, or lose their database: the old deals stay until the new are whole."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from deploy.servers.postgresql import PostgresServer
from shared.domain.deals import COLUMNS, DealsBatch, Replacement, UploadState
from shared.errors import InvalidDeals, StorageUnavailable
from shared.ports import Storage
from shared.settings import Settings
from shared.storage import deals_postgresql, deals_sqlite, open_storage
from tests.contract.storage.deals import (
    as_rows,
    as_text,
    deal,
    deals_file,
    lines_of,
    load,
    spent,
    stored_deals,
)
from tests.contract.storage.samples import NOW, load_currencies, observation
from tests.waiting import until

MANY = DealsBatch(text=lines_of(deal(f"customer {one}") for one in range(2000)))


class Gate:
    """Batches that stop after the first until they are let go on."""

    def __init__(self) -> None:
        self.is_reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def batches(self, customer: str) -> AsyncIterator[DealsBatch]:
        yield DealsBatch(rows=[deal(customer)])
        self.is_reached.set()
        await self.opened.wait()
        yield DealsBatch(text=lines_of([deal(customer)]))


async def raising(error: BaseException) -> AsyncIterator[DealsBatch]:
    yield MANY
    raise error


def replacing(storage: Storage, name: str, batches: AsyncIterator[DealsBatch]) -> "asyncio.Task[Replacement]":
    return asyncio.create_task(storage.replace_deals(deals_file(name), COLUMNS, batches))


async def until_a_lock_is_waited_for(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    """The process that waits."""

    async def waiting() -> int | None:
        # In one transaction pg_stat_activity stays as it was first seen.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        process: int | None = await connection.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return process

    process: int = await until(waiting, seconds=10, what="a wait for a lock")
    return process


@pytest.mark.parametrize(
    "error",
    [
        InvalidDeals(["line 4001: total is not a number: 'x'"]),
        OSError(28, "No space left on device"),
        TimeoutError("of the reader"),
        ZeroDivisionError(),
        asyncio.CancelledError(),
    ],
    ids=lambda one: type(one).__name__,
)
async def test_what_reading_raises_passes_through_and_leaves_the_old_deals(
    storage: Storage, error: BaseException
) -> None:
    old = await load(storage, deal("anna"), name="old.csv")
    with pytest.raises(type(error)) as caught:
        await storage.replace_deals(deals_file("new.csv"), COLUMNS, raising(error))
    assert isinstance(error, asyncio.CancelledError) or caught.value is error
    assert await storage.current_upload() == old.id
    assert await spent(storage) == {"anna": "1"}
    assert await stored_deals(storage) == 1
    assert (await storage.uploads_page(cursor=None, limit=10)).rows == (old,)
    await load(storage, deal("boris"), name="new.csv")
    assert await spent(storage) == {"boris": "1"}


async def test_a_load_that_is_cancelled_leaves_the_old_deals_and_stands_in_nobodys_way(
    storage: Storage,
) -> None:
    await load(storage, deal("anna"), name="old.csv")
    for name in ("a.csv", "b.csv"):
        gate = Gate()
        loading = replacing(storage, name, gate.batches(name))
        await gate.is_reached.wait()
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
    assert await spent(storage) == {"anna": "1"}
    async with asyncio.timeout(5):
        await load(storage, deal("boris"), name="new.csv")
    assert await spent(storage) == {"boris": "1"}
    assert await storage.forget_replaced_deals() == 1
    assert await stored_deals(storage) == 1


async def test_readers_during_a_load_see_the_old_deals(storage: Storage) -> None:
    old = await load(storage, deal("anna"), name="old.csv")
    gate = Gate()
    loading = replacing(storage, "new.csv", gate.batches("boris"))
    await gate.is_reached.wait()
    assert await storage.current_upload() == old.id
    assert await spent(storage) == {"anna": "1"}
    assert (await storage.uploads_page(cursor=None, limit=10)).rows == (old,)
    [found] = await storage.priced_deals(old.id, ["anna", "boris"], [], now=NOW, limit=10)
    assert found.customer == "anna"
    gate.opened.set()
    new = (await loading).upload
    assert await storage.current_upload() == new.id
    assert await spent(storage) == {"boris": "2"}
    assert new.rows == 2


async def check_that_two_loads_follow_one_another(first: Storage, second: Storage) -> None:
    gates = [Gate(), Gate()]
    loads = [
        replacing(first, "a.csv", gates[0].batches("anna")),
        replacing(second, "b.csv", gates[1].batches("boris")),
    ]
    reached = [asyncio.create_task(gate.is_reached.wait()) for gate in gates]
    done, _ = await asyncio.wait(reached, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1
    winner = reached.index(done.pop())
    gates[1 - winner].opened.set()
    assert not gates[1 - winner].is_reached.is_set()
    gates[winner].opened.set()
    replaced, last = (await loads[winner]).upload, (await loads[1 - winner]).upload
    assert replaced.id < last.id
    assert await spent(first) == await spent(second) == {"anna" if winner else "boris": "2"}
    assert await first.forget_replaced_deals() == 2


async def test_two_loads_at_once_follow_one_another(storage: Storage) -> None:
    await check_that_two_loads_follow_one_another(storage, storage)


async def test_two_loads_of_two_processes_follow_one_another(storages: tuple[Storage, Storage]) -> None:
    await check_that_two_loads_follow_one_another(*storages)


async def test_loads_follow_one_another_whatever_the_servers_default_isolation_is(
    connection: "asyncpg.Connection[asyncpg.Record]", postgresql_url: str
) -> None:
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    first, second = [await open_storage(Settings(database_url=postgresql_url)) for _ in range(2)]
    try:
        await load(first, deal("anna"), name="old.csv")
        gate = Gate()
        loads = [replacing(first, "a.csv", gate.batches("anna"))]
        await gate.is_reached.wait()
        loads.append(replacing(second, "b.csv", as_rows(deal("boris"))))
        await until_a_lock_is_waited_for(connection)
        gate.opened.set()
        await asyncio.gather(*loads)
        assert await spent(first) == {"boris": "1"}
        assert await second.forget_replaced_deals() == 3
    finally:
        await first.close()
        await second.close()


async def test_of_two_who_delete_replaced_deals_one_leaves_it_to_the_other(
    storages: tuple[Storage, Storage], connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    for name in ("old.csv", "new.csv"):
        await load(storages[0], deal("anna"), name=name)
    async with connection.transaction():
        await connection.execute("LOCK TABLE deals IN EXCLUSIVE MODE")
        deleting = asyncio.create_task(storages[0].forget_replaced_deals())
        await until_a_lock_is_waited_for(connection)
        async with asyncio.timeout(5):
            assert await storages[1].forget_replaced_deals() == 0
        assert not deleting.done()
    assert await deleting == 1


async def test_one_file_that_many_bring_at_once_is_loaded_once(storages: tuple[Storage, Storage]) -> None:
    done = await asyncio.gather(
        *(
            storages[one % 2].replace_deals(deals_file(), COLUMNS, as_text(deal("anna"), deal("anna")))
            for one in range(8)
        )
    )
    assert sum(one.is_new for one in done) == 1
    assert len({one.upload.id for one in done}) == 1
    assert await stored_deals(storages[0]) == 2


async def test_many_loads_of_two_processes_leave_one_whole_upload(storages: tuple[Storage, Storage]) -> None:
    """While others read, and delete what was replaced."""

    async def read() -> None:
        while not loading.done():
            summary = await storages[0].deals_summary()
            if summary is not None:
                [spender] = summary.spenders
                assert (spender.name, str(spender.spent)) == (summary.upload.file.name, "20")
            await storages[1].forget_replaced_deals()

    async def one(number: int) -> None:
        deals = [deal(f"{number}.csv")] * 20
        await storages[number % 2].replace_deals(deals_file(f"{number}.csv"), COLUMNS, as_rows(*deals))

    loading = asyncio.gather(*(one(number) for number in range(12)))
    await asyncio.gather(read(), loading)
    await storages[0].forget_replaced_deals()
    assert await stored_deals(storages[0]) == 20
    uploads = (await storages[0].uploads_page(cursor=None, limit=100)).rows
    assert [one.state for one in uploads].count(UploadState.CURRENT) == 1
    assert uploads[0].id == await storages[0].current_upload()


async def test_who_deletes_replaced_deals_harms_no_load(storages: tuple[Storage, Storage]) -> None:
    for name in ("a.csv", "b.csv"):
        await load(storages[0], deal("anna"), name=name)
    gate = Gate()
    loading = replacing(storages[0], "new.csv", gate.batches("boris"))
    await gate.is_reached.wait()
    assert await storages[1].forget_replaced_deals() == 1
    gate.opened.set()
    await loading
    assert await spent(storages[1]) == {"boris": "2"}
    assert await stored_deals(storages[1]) == 3
    assert await storages[1].forget_replaced_deals() == 1


async def test_rates_are_written_and_files_refused_beside_a_load(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deals_sqlite, "BATCHES_AT_ONCE", 1)
    await load_currencies(storage, 1)
    gate = Gate()
    loading = replacing(storage, "new.csv", gate.batches("anna"))
    await gate.is_reached.wait()
    async with asyncio.timeout(5):
        await storage.record_rates([observation()], fetched_at=NOW, stored_at=NOW)
        refused = await storage.refuse_deals(deals_file("bad.csv"), error="line 2")
    assert len(await storage.last_rates()) == 1
    assert (await storage.uploads_page(cursor=None, limit=10)).rows == (refused,)
    gate.opened.set()
    upload = (await loading).upload
    assert upload.id != refused.id
    assert await spent(storage) == {"anna": "2"}
    assert {one.id for one in (await storage.uploads_page(cursor=None, limit=10)).rows} == {
        upload.id,
        refused.id,
    }


@pytest.fixture
async def left_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Storage]:
    """A SQLite file with two uploads, of which the first was replaced, and with what a third load left in it that could not
    clear up after itself: the file was closed under it."""
    monkeypatch.setattr(deals_sqlite, "BATCHES_AT_ONCE", 1)
    settings = Settings(database_url=f"sqlite:///{tmp_path}/freshrate.db")
    storage = await open_storage(settings)
    await load(storage, deal("anna"), name="old.csv")
    await load(storage, deal("boris"), name="current.csv")
    gate = Gate()
    loading = replacing(storage, "left.csv", gate.batches("vera"))
    await gate.is_reached.wait()
    await storage.close()
    gate.opened.set()
    with pytest.raises(StorageUnavailable):
        await loading
    again = await open_storage(settings)
    yield again
    await again.close()


async def test_what_a_killed_load_left_on_sqlite_is_seen_by_nobody_and_deleted_wherever_it_lies(
    left_half_way: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deals_sqlite, "FORGOTTEN_AT_ONCE", 1)
    storage = left_half_way
    assert await spent(storage) == {"boris": "1"}
    names = [one.file.name for one in (await storage.uploads_page(cursor=None, limit=10)).rows]
    assert names == ["current.csv", "old.csv"]
    assert await stored_deals(storage) == 3
    assert await storage.forget_replaced_deals() == 2
    assert await stored_deals(storage) == 1
    await load(storage, deal("vera"), name="left.csv")
    assert await spent(storage) == {"vera": "1"}


async def test_the_next_load_on_sqlite_deletes_what_a_killed_one_left(left_half_way: Storage) -> None:
    upload = await load(left_half_way, deal("vera", total="5"), name="left.csv")
    assert await spent(left_half_way) == {"vera": "5"}
    assert upload.rows == 1
    assert await stored_deals(left_half_way) == 2


async def test_who_deletes_on_sqlite_harms_no_load(
    left_half_way: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deals_sqlite, "FORGOTTEN_AT_ONCE", 1)
    gate = Gate()
    loading = replacing(left_half_way, "new.csv", gate.batches("vera"))
    await gate.is_reached.wait()
    await left_half_way.forget_replaced_deals()
    assert await stored_deals(left_half_way) == 2
    gate.opened.set()
    await loading
    assert await spent(left_half_way) == {"vera": "2"}
    assert await left_half_way.forget_replaced_deals() == 1


async def test_no_id_of_an_upload_is_given_twice(storage: Storage) -> None:
    """Deals of a load that failed may lie there for a while."""
    with pytest.raises(ZeroDivisionError):
        await storage.replace_deals(deals_file("a.csv"), COLUMNS, raising(ZeroDivisionError()))
    first = await load(storage, deal("anna"), name="b.csv")
    with pytest.raises(ZeroDivisionError):
        await storage.replace_deals(deals_file("c.csv"), COLUMNS, raising(ZeroDivisionError()))
    refused = await storage.refuse_deals(deals_file("d.csv"), error="")
    assert refused.id > first.id + 1


async def test_a_load_that_waited_for_its_turn_too_long_says_so(
    storages: tuple[Storage, Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    first = replacing(storages[0], "a.csv", gate.batches("anna"))
    await gate.is_reached.wait()
    monkeypatch.setattr(deals_postgresql, "LOAD_SECONDS", 0.2)
    with pytest.raises(StorageUnavailable):
        await storages[1].replace_deals(deals_file("b.csv"), COLUMNS, as_rows(deal("boris")))
    gate.opened.set()
    await first
    monkeypatch.undo()
    await load(storages[1], deal("vera"), name="c.csv")
    assert await spent(storages[0]) == {"vera": "1"}


async def test_the_limits_of_a_load_do_not_reach_the_next_statement(
    postgresql_url: str,
) -> None:
    storage = await open_storage(Settings(database_url=postgresql_url))
    try:
        await load(storage, deal("anna"))
        await storage.forget_replaced_deals()
        settings = [
            await storage._engine.fetchval(f"SHOW {name}")  # type: ignore[attr-defined]
            for name in ("statement_timeout", "lock_timeout", "work_mem")
        ]
        assert settings == ["10s", "5s", "4MB"]
    finally:
        await storage.close()


async def test_a_load_whose_backend_is_ended_says_that_the_database_is_away(
    storages: tuple[Storage, Storage], connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """In the middle of the COPY: the reader is asked for no more than it has in hand."""
    old = await load(storages[0], deal("anna"), name="old.csv")
    gate = Gate()
    loading = replacing(storages[0], "new.csv", gate.batches("boris"))
    await gate.is_reached.wait()
    ended = await connection.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE 'COPY%'"
    )
    assert [one[0] for one in ended] == [True]
    async with asyncio.timeout(5):
        with pytest.raises(StorageUnavailable):
            await loading
    assert await storages[0].current_upload() == old.id
    assert await stored_deals(storages[1]) == 1
    await load(storages[0], deal("vera"), name="new.csv")
    assert await spent(storages[1]) == {"vera": "1"}


async def test_a_load_that_the_server_takes_no_more_of_ends_with_its_backend(
    storages: tuple[Storage, Storage],
    connection: "asyncpg.Connection[asyncpg.Record]",
    postgresql_url: str,
) -> None:
    """The COPY waits for a lock, so the way to the server is full when the backend is ended."""

    async def endless() -> AsyncIterator[DealsBatch]:
        while True:
            yield MANY

    async def is_full() -> bool:
        """What the driver was given is more than it hands on: it waits, and the server reads nothing before it has the lock."""
        ways = [holder._con._transport for holder in storages[0]._engine._pool._holders if holder._con]  # type: ignore[attr-defined]
        return any(way.get_write_buffer_size() > way.get_write_buffer_limits()[1] for way in ways)

    blocker = await asyncpg.connect(postgresql_url)
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE deals IN EXCLUSIVE MODE")
        loading = replacing(storages[0], "new.csv", endless())
        process = await until_a_lock_is_waited_for(connection)
        await until(is_full, seconds=10, what="a COPY that waits")
        assert await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", process)
        async with asyncio.timeout(5):
            with pytest.raises(StorageUnavailable):
                await loading
    await blocker.close()
    assert await storages[0].current_upload() is None
    await load(storages[0], deal("vera"))


async def test_a_load_that_the_server_stops_says_so(
    storages: tuple[Storage, Storage], connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    gate = Gate()
    loading = replacing(storages[0], "new.csv", gate.batches("boris"))
    await gate.is_reached.wait()
    await connection.execute(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE 'COPY%'"
    )
    gate.opened.set()
    with pytest.raises(StorageUnavailable, match="canceling statement"):
        await loading
    await load(storages[0], deal("vera"))
    assert await spent(storages[0]) == {"vera": "1"}


async def test_a_load_on_a_server_that_is_killed_leaves_the_old_deals() -> None:
    own_server = PostgresServer(durable=True)
    own_server.start()
    storage = await open_storage(Settings(database_url=own_server.url(own_server.create_database())))
    try:
        await load(storage, deal("anna"), name="old.csv")
        gate = Gate()
        loading = replacing(storage, "new.csv", gate.batches("boris"))
        await gate.is_reached.wait()
        own_server.kill()
        async with asyncio.timeout(5):
            with pytest.raises(StorageUnavailable):
                await loading
            own_server.start()
            assert await spent(storage) == {"anna": "1"}
        await load(storage, deal("vera"), name="new.csv")
        assert await spent(storage) == {"vera": "1"}
    finally:
        await storage.close()
        own_server.remove()

"""SQLite: one process, one writer, and errors that say what is wrong with the file."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from shared.errors import SettingsError, StorageUnavailable
from shared.storage.engine import UnknownReference
from shared.storage.sqlite import SqliteEngine, encoded
from tests.servers import PROJECT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "freshrate.db"


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[SqliteEngine]:
    opened = await SqliteEngine.open(path)
    await opened.execute("CREATE TABLE counts (n INTEGER PRIMARY KEY)")
    yield opened
    await opened.close()


def test_values_are_kept_exactly() -> None:
    assert encoded(datetime(2026, 11, 20, 0, 0, 0, 1, tzinfo=UTC)) == 1_795_132_800_000_001
    assert encoded(Decimal("1.50")) == "1.50"
    assert encoded(Decimal("1E-8")) == "0.00000001"
    assert encoded(timedelta(days=1, microseconds=1)) == 86_400_000_001
    assert encoded("text") == "text"
    assert encoded(None) is None


async def test_commits_wait_for_the_disk_and_readers_do_not_wait_for_writers(engine: SqliteEngine) -> None:
    assert await engine.fetchval("PRAGMA journal_mode") == "wal"
    assert await engine.fetchval("PRAGMA synchronous") == 2
    async with engine.transaction() as session:
        assert await session.fetchval("PRAGMA synchronous") == 2
        assert await session.fetchval("PRAGMA foreign_keys") == 1
        await session.execute("INSERT INTO counts VALUES (1)")
        assert await session.fetchval("SELECT count(*) FROM counts") == 1
        assert await engine.fetchval("SELECT count(*) FROM counts") == 0
    assert await engine.fetchval("SELECT count(*) FROM counts") == 1


async def test_a_transaction_that_fails_changes_nothing(engine: SqliteEngine) -> None:
    async def write() -> None:
        async with engine.transaction() as session:
            await session.execute("INSERT INTO counts VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write()
    assert await engine.fetchval("SELECT count(*) FROM counts") == 0


async def test_many_arguments_are_all_or_none(engine: SqliteEngine) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        await engine.executemany("INSERT INTO counts VALUES ($1)", [(1,), (2,), (1,)])
    assert await engine.fetchval("SELECT count(*) FROM counts") == 0
    await engine.executemany("INSERT INTO counts VALUES ($1)", [(1,), (2,)])
    assert await engine.execute("DELETE FROM counts") == 2


async def test_a_cancelled_transaction_does_not_stop_the_next(engine: SqliteEngine) -> None:
    async def write() -> None:
        async with engine.transaction() as session:
            for number in range(100):
                await session.execute("INSERT INTO counts VALUES ($1)", number)

    for turns in range(12):
        task = asyncio.create_task(write())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await engine.execute("DELETE FROM counts") in {0, 100}


async def test_another_process_is_refused_in_words(engine: SqliteEngine, path: Path) -> None:
    program = """
import asyncio, sys
from shared.errors import SettingsError
from shared.settings import Settings
from shared.storage import open_storage

try:
    asyncio.run(open_storage(Settings(database_url=sys.argv[1])))
except SettingsError as error:
    print(error)
"""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, f"sqlite:///{path}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"DATABASE_URL: another process uses the SQLite file {path}.")
    assert "PostgreSQL" in done.stdout
    assert await engine.fetchval("SELECT 1") == 1


async def test_the_file_is_free_again_after_closing(path: Path) -> None:
    for _ in range(2):
        engine = await SqliteEngine.open(path)
        await engine.close()
        for use in (
            engine.fetch("SELECT 1"),
            engine.fetchrow("SELECT 1"),
            engine.fetchval("SELECT 1"),
            engine.execute("SELECT 1"),
            engine.executemany("SELECT $1", [(1,)]),
        ):
            with pytest.raises(StorageUnavailable, match="was closed"):
                await use


async def test_a_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"DATABASE_URL: .* cannot be opened"):
        await SqliteEngine.open(tmp_path / "file" / "freshrate.db")


async def test_a_file_that_is_no_database_is_unavailable_and_not_kept_locked(path: Path) -> None:
    for _ in range(2):
        path.write_bytes(b"no database " * 100)
        with pytest.raises(StorageUnavailable, match="not a database"):
            await SqliteEngine.open(path)


async def test_a_file_that_another_program_locks_is_unavailable(engine: SqliteEngine, path: Path) -> None:
    async with engine.transaction() as session:
        await session.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="locked"):
        await engine.execute("INSERT INTO counts VALUES (1)")
    other.close()
    assert await engine.execute("INSERT INTO counts VALUES (1)") == 1


async def test_defects_stay_defects(engine: SqliteEngine) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await engine.fetch("SELECT * FROM nowhere")
    with pytest.raises(sqlite3.OperationalError, match="syntax"):
        await engine.fetch("SELEC")
    with pytest.raises(sqlite3.ProgrammingError):
        await engine.fetch("SELECT $1")


async def test_an_unknown_reference_is_told_from_other_violations(engine: SqliteEngine) -> None:
    await engine.execute("CREATE TABLE others (n INTEGER REFERENCES counts (n))")
    with pytest.raises(UnknownReference):
        await engine.execute("INSERT INTO others VALUES (1)")
    with pytest.raises(sqlite3.IntegrityError):
        await engine.executemany("INSERT INTO counts VALUES ($1)", [(1,), (1,)])

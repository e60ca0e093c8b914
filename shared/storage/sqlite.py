"""SQLite for one process: one connection that writes, one that reads, and a lock on a side file.

SQLite before 3.51.3 can corrupt its log where several processes write, so a second process is refused at start. Each
commit waits for the disk (synchronous=FULL). Statements run in a thread per connection, in the order of their calls:
whatever a cancelled task left queued is done before the next transaction begins.
"""

import asyncio
import fcntl
import json
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import aiosqlite

from shared.domain.money import plain
from shared.domain.times import micros
from shared.errors import SettingsError, StorageUnavailable
from shared.ports import Connections
from shared.storage.engine import Dialect, Row, UnknownReference
from shared.storage.exact_sums import exact_sum

BUSY_MILLISECONDS = 5000
"""Others may hold the file for a moment: a backup, or a person with the sqlite3 shell."""
_MICROSECOND = timedelta(microseconds=1)
_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)
_DEFECTS = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE}
"""SQL that cannot run, as opposed to a file that cannot be read or written now."""
_PRIMARY_CODE = 0xFF


def encoded(value: object) -> object:
    """Times as microseconds since 1970, durations as microseconds, decimals as their digits, lists as JSON."""
    if isinstance(value, datetime):
        return micros(value)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    if isinstance(value, list):
        return json.dumps(value)
    return value


def _bound(args: Sequence[object]) -> dict[str, object]:
    """`$1` is a name to SQLite: "1"."""
    return {str(number): encoded(value) for number, value in enumerate(args, start=1)}


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turns what sqlite3 raises into what the storage says."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            raise UnknownReference(str(error)) from error
        raise
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
        if code not in _DEFECTS:
            raise StorageUnavailable(f"SQLite file {path} cannot be used: {error}") from error
        raise


class SqliteSession:
    """Statements on one connection, each in one hop to its thread."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        with errors_of(self._path):
            rows = await self._connection.execute_fetchall(sql, _bound(args))
        return list(rows)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        return next(iter(await self.fetch(sql, *args)), None)

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column of any type
        row = await self.fetchrow(sql, *args)
        return None if row is None else row[0]

    async def execute(self, sql: str, *args: object) -> int:
        with errors_of(self._path):
            async with self._connection.execute(sql, _bound(args)) as cursor:
                return max(cursor.rowcount, 0)

    async def executemany(self, sql: str, args: Sequence[Sequence[object]]) -> None:
        with errors_of(self._path):
            async with self._connection.executemany(sql, [_bound(one) for one in args]):
                pass

    async def insert(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Many rows whose values are SQLite's own, for a statement with `?`: to encode them one by one would take longer than to
        write them."""
        with errors_of(self._path):
            async with self._connection.executemany(sql, rows):
                pass


class SqliteEngine:
    """See `shared.storage.engine.Engine`. Writes go through `execute`, `executemany` and `transaction` only."""

    dialect = Dialect.SQLITE

    def __init__(
        self, path: Path, reader: aiosqlite.Connection, writer: aiosqlite.Connection, opened: AsyncExitStack
    ) -> None:
        self._path = path
        self._reader = SqliteSession(reader, path)
        self._writer = SqliteSession(writer, path)
        self._rollback = writer.rollback
        self._one_writes = asyncio.Lock()
        self._writers = 0
        """Those that write, or wait to."""
        self._opened = opened
        self._is_open = True

    @classmethod
    async def open(cls, path: Path) -> "SqliteEngine":
        """Raises SettingsError where another process has the file, or where it cannot be there."""
        lock = _locked(path)
        async with AsyncExitStack() as stack:
            stack.callback(lock.close)
            with errors_of(path):
                writer = await stack.enter_async_context(_connection(path))
                reader = await stack.enter_async_context(_connection(path))
            return cls(path, reader, writer, stack.pop_all())

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        self._check_open()
        return await self._reader.fetch(sql, *args)

    async def slices(self, sql: str, *args: object, size: int) -> AsyncGenerator[Sequence[Row]]:
        """On a connection of its own: others would see nothing newer on one with a statement at work."""
        self._check_open()
        with errors_of(self._path):
            async with _connection(self._path) as connection, connection.execute(sql, _bound(args)) as cursor:
                while rows := list(await cursor.fetchmany(size)):
                    yield rows

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        self._check_open()
        return await self._reader.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column of any type
        self._check_open()
        return await self._reader.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> int:
        async with self._turn():
            self._check_open()
            return await self._writer.execute(sql, *args)

    async def executemany(self, sql: str, args: Sequence[Sequence[object]]) -> None:
        async with self.transaction() as session:
            await session.executemany(sql, args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteSession]:
        async with self._turn():
            self._check_open()
            try:
                await self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                await self._writer.execute("COMMIT")
            except BaseException:
                await self._rollback()
                raise

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[SqliteSession]:
        """A connection of its own, for long statements that read and for temporary tables: nobody waits for them. One
        transaction that is never committed."""
        self._check_open()
        with errors_of(self._path):
            async with _connection(self._path) as connection:
                session = SqliteSession(connection, self._path)
                await session.execute("BEGIN")
                yield session

    def connections(self) -> Connections:
        """Of the one that writes: reading waits for nobody."""
        used = min(1, self._writers)
        return Connections(used=used, idle=1 - used, waiting=self._writers - used)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        self._writers += 1
        try:
            async with self._one_writes:
                yield
        finally:
            self._writers -= 1

    async def has_table(self, name: str) -> bool:
        return bool(await self.fetchval("SELECT count(*) FROM sqlite_master WHERE name = $1", name))

    async def close(self) -> None:
        """Waits for the transaction at work."""
        async with self._turn():
            self._is_open = False
            await self._opened.aclose()

    def _check_open(self) -> None:
        if not self._is_open:
            raise StorageUnavailable(f"SQLite file {self._path} was closed by this process.")


@asynccontextmanager
async def _connection(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        for pragma in _PRAGMAS:
            await connection.execute_fetchall(pragma)
        await connection.create_function("set_config", 3, _same_setting)
        await connection.create_function("exact_sum", 2, exact_sum, deterministic=True)
        yield connection


def _locked(path: Path) -> IO[bytes]:
    """The open side file whose lock says that the database is ours; a process that dies gives it back."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f"{path.name}.lock").open("ab")
    except OSError as error:
        raise SettingsError(f"DATABASE_URL: {path} cannot be opened: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SettingsError(
            f"DATABASE_URL: another process uses the SQLite file {path}. Stop it, name another file, or use PostgreSQL, "
            "which many processes can share."
        ) from None
    return lock


def _same_setting(_name: str, value: str, _is_local: int) -> str:
    """PostgreSQL's set_config, where there is nothing to set: lets a statement that uses it be one text."""
    return value

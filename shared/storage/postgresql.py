"""PostgreSQL over a pool of asyncpg connections.

A statement ends after 15 s whatever happens: the server stops it after 10 s, and where the server itself is silent
the client gives up. Connections that broke are replaced when they are next needed, so service returns with the
database. The pool's reset is off, for it costs a round trip per statement: nothing here leaves session state behind.
One connection is kept aside for the next statement: passing it through the pool was measured to cost a forced refresh,
which needs the database twice, a quarter of a millisecond.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from shared.errors import SettingsError, StorageUnavailable
from shared.ports import Connections
from shared.storage.address import place
from shared.storage.engine import Dialect, Row, Session, UnknownReference

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

CONNECTIONS = 10
"""Of each process."""
CONNECT_SECONDS = 5.0
ACQUIRE_SECONDS = 5.0
COMMAND_SECONDS = 15.0
CLOSE_SECONDS = 1.0
_SERVER_SETTINGS = {
    "application_name": "freshrate",
    "timezone": "UTC",
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    # Compiling a query costs more than any of ours runs.
    "jit": "off",
}
_REFUSALS = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # What the driver says of a connection that ended in the middle of an answer.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    *_REFUSALS,
)
"""Broken connections, timeouts, a server that starts, stops, fails over or is full, and lost conflicts."""


@contextmanager
def errors_of(where: str) -> Iterator[None]:
    """Turns what asyncpg raises into what the storage says."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as error:
        raise UnknownReference(error.detail) from error
    except _UNAVAILABLE as error:
        # A URL that asyncpg cannot read; a certificate that is not the host's is a ValueError too.
        if isinstance(error, ValueError) and not isinstance(error, ssl.SSLError):
            raise
        raise StorageUnavailable(f"{where} does not answer: {_said(error)}") from error


def _said(error: BaseException) -> str:
    """One line; the driver's own texts name neither passwords nor rows."""
    return " ".join(str(error).split()) or type(error).__name__


class PostgresEngine:
    """See `shared.storage.engine.Engine`."""

    dialect = Dialect.POSTGRESQL

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", where: str) -> None:
        self._pool = pool
        self._where = where
        self._spare: PoolConnectionProxy[asyncpg.Record] | None = None
        self._is_closing = False
        self._waiting = 0
        self._releases: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, database: str, *, command_seconds: float = COMMAND_SECONDS) -> "PostgresEngine":
        """Connects once, to know that it can. Raises StorageUnavailable, or SettingsError where waiting is no use."""
        pool = asyncpg.create_pool(
            database,
            # A floor of connections would be kept by a task of the pool, which logs a traceback a second in an outage.
            min_size=0,
            init_size=1,
            max_size=CONNECTIONS,
            timeout=CONNECT_SECONDS,
            command_timeout=command_seconds,
            server_settings=_SERVER_SETTINGS,
            reset=_leave_as_is,
        )
        where = place(database)
        try:
            with errors_of(where):
                await pool
        except ValueError:
            raise SettingsError(
                "DATABASE_URL: not a URL that PostgreSQL's driver can read, or it names a file that is not there"
            ) from None
        except StorageUnavailable as error:
            if isinstance(error.__cause__, _REFUSALS):
                raise SettingsError(f"DATABASE_URL: {error}") from error
            raise
        return cls(pool, where)

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        async with self._connection() as connection:
            return await connection.fetch(sql, *args)

    async def slices(self, sql: str, *args: object, size: int) -> AsyncGenerator[Sequence[Row]]:
        async with self._connection() as connection, connection.transaction(readonly=True):
            cursor = await connection.cursor(sql, *args)
            while rows := await cursor.fetch(size):
                yield rows

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        async with self._connection() as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column of any type
        async with self._connection() as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> int:
        async with self._connection() as connection:
            return _changed(await connection.execute(sql, *args))

    async def executemany(self, sql: str, args: Sequence[Sequence[object]]) -> None:
        async with self._connection() as connection:
            await connection.executemany(sql, args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with self._connection() as connection, connection.transaction():
            yield PostgresSession(connection)

    @asynccontextmanager
    async def long_transaction(self, *, seconds: float) -> AsyncIterator["PostgresSession"]:
        """A transaction, and statements and waits for locks in it, that may take so long together: for bulk work. Each of its
        statements sees what was committed before it, whatever the server's default: so it may wait for a lock first."""
        async with (
            self._connection() as connection,
            _given_up_when_lost(connection, seconds),
            connection.transaction(isolation="read_committed"),
        ):
            limit = f"{seconds * 1000:.0f}ms"
            await connection.execute(
                "SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $1, true)",
                limit,
            )
            yield PostgresSession(connection, seconds=seconds)

    async def has_table(self, name: str) -> bool:
        return bool(await self.fetchval("SELECT to_regclass($1) IS NOT NULL", name))

    async def close(self) -> None:
        """Lets the statements at work end, but a stop has no time for a server that hangs."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                self._is_closing = True
                spare, self._spare = self._spare, None
                if spare is not None:
                    await self._pool.release(spare)
                await self._pool.close()
        except (TimeoutError, *_UNAVAILABLE):
            self._pool.terminate()

    def connections(self) -> Connections:
        """The spare one is idle, though the pool thinks it in use."""
        size, idle = self._pool.get_size(), self._pool.get_idle_size()
        if self._spare is not None and _is_usable(self._spare):
            idle += 1
        return Connections(used=size - idle, idle=idle, waiting=self._waiting)

    @asynccontextmanager
    async def _connection(self) -> "AsyncIterator[PoolConnectionProxy[asyncpg.Record]]":
        """One that the last user left, or else one of the pool. Whoever was disturbed leaves none: the pool knows how to
        clean up after a statement that was cancelled. It asks the server for that, which may hang, so nobody waits."""
        with errors_of(self._where):
            connection = await self._spare_one() or await self._pooled_one()
            try:
                yield connection
            except BaseException:
                self._release_later(connection)
                raise
            if self._spare is None and not self._is_closing:
                self._spare = connection
            else:
                await self._pool.release(connection)

    def _release_later(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        release = asyncio.ensure_future(self._pool.release(connection))
        self._releases.add(release)
        release.add_done_callback(self._released)

    def _released(self, release: "asyncio.Task[None]") -> None:
        """Where it failed, the pool has ended the connection, and makes another when it is needed."""
        self._releases.discard(release)
        if not release.cancelled():
            release.exception()

    async def _pooled_one(self) -> "PoolConnectionProxy[asyncpg.Record]":
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        finally:
            self._waiting -= 1

    async def _spare_one(self) -> "PoolConnectionProxy[asyncpg.Record] | None":
        spare, self._spare = self._spare, None
        if spare is not None and not _is_usable(spare):
            await self._pool.release(spare)
            return None
        return spare


class PostgresSession:
    """One connection within a transaction."""

    def __init__(
        self, connection: "PoolConnectionProxy[asyncpg.Record]", *, seconds: float | None = None
    ) -> None:
        """`seconds`: of each statement; None for the pool's."""
        self._connection = connection
        self._seconds = seconds

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        return await self._connection.fetch(sql, *args, timeout=self._seconds)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        return await self._connection.fetchrow(sql, *args, timeout=self._seconds)

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column of any type
        return await self._connection.fetchval(sql, *args, timeout=self._seconds)

    async def execute(self, sql: str, *args: object) -> int:
        return _changed(await self._connection.execute(sql, *args, timeout=self._seconds))

    async def executemany(self, sql: str, args: Sequence[Sequence[object]]) -> None:
        await self._connection.executemany(sql, args, timeout=self._seconds)

    async def copy_csv(self, table: str, *, columns: Sequence[str], source: AsyncIterable[bytes]) -> int:
        """How many rows of CSV in UTF-8 were written. What `source` raises ends the COPY at once."""
        status = await self._connection.copy_to_table(
            table, source=source, columns=columns, format="csv", timeout=self._seconds
        )
        return _changed(status)


@asynccontextmanager
async def _given_up_when_lost(
    connection: "PoolConnectionProxy[asyncpg.Record]", seconds: float
) -> AsyncIterator[None]:
    """Raises TimeoutError after so long, and ConnectionError at once where the connection ends: the driver would wait for
    ever to send more of a COPY to a server that is gone."""
    loop = asyncio.get_running_loop()
    is_lost = False

    def give_up(_connection: object) -> None:
        nonlocal is_lost
        is_lost = True
        # Its time may be over already.
        with suppress(RuntimeError):
            limit.reschedule(loop.time())

    try:
        async with asyncio.timeout(seconds) as limit:
            connection.add_termination_listener(give_up)
            yield
    except TimeoutError as error:
        if is_lost:
            raise ConnectionError("the connection was lost") from error
        raise
    finally:
        # The pool has taken a connection that was lost already.
        with suppress(asyncpg.InterfaceError):
            connection.remove_termination_listener(give_up)


def _is_usable(connection: "PoolConnectionProxy[asyncpg.Record]") -> bool:
    """One that broke is taken back by the pool at once, and then does not even say that it is closed."""
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        return False


def _changed(status: str) -> int:
    """The count at the end of INSERT 0 5, UPDATE 1, DELETE 3; other statements change no rows."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdecimal() else 0


async def _leave_as_is(_connection: object) -> None:
    """Instead of the pool's RESET ALL and the like."""

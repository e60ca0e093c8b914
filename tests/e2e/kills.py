"""What the test of kills is made of: uploads that stop half-way, gates at which a load is caught, processes that are started
ahead, and readers that never rest.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import asyncpg

from tests.e2e.deals import PATH, UPLOAD, Answer, key_of, read_json
from tests.e2e.processes import Running, Stack
from tests.waiting import until

LOADING, COMMITTING = 1, 2
"""Gates."""
MARK = 4711
"""The quantity of the deal at which a load is caught: one of each file, in the middle of it somewhere."""
_SETTLED_SECONDS = 20.0
_BETWEEN_READS = 0.004
"""Seconds: some thousand reads in all, and dozens during each upload."""
_KEY = 20_261_122
"""Of our advisory locks, besides the gate; nobody else takes any of this number."""
_GATES = f"""
    CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared({_KEY}, TG_ARGV[0]::int);
        RETURN NEW;
    END $$;
    CREATE TRIGGER gate BEFORE INSERT ON deals FOR EACH ROW WHEN (NEW.quantity = {MARK})
        EXECUTE FUNCTION pass_gate({LOADING});
    CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON deal_uploads DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION pass_gate({COMMITTING});
"""


class Gates:
    """In the database: before one deal of a file, and in the middle of a commit (where deferred triggers run). A gate that is
    shut holds a load there, and nothing else.
    """

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def built(cls, database_url: str) -> AsyncIterator["Gates"]:
        connection = await asyncpg.connect(database_url)
        try:
            await connection.execute(_GATES)
            yield cls(connection)
        finally:
            await connection.close()

    @asynccontextmanager
    async def shut(self, gate: int) -> AsyncIterator[None]:
        await self._connection.execute("SELECT pg_advisory_lock($1, $2)", _KEY, gate)
        try:
            yield
        finally:
            await self._connection.execute("SELECT pg_advisory_unlock($1, $2)", _KEY, gate)

    async def caught(self, gate: int) -> int:
        """The backend that waits at this gate."""

        async def backend() -> int | None:
            pid: int | None = await self._connection.fetchval(
                """
                SELECT pid FROM pg_locks
                WHERE locktype = 'advisory' AND NOT granted AND classid = $1 AND objid = $2
                """,
                _KEY,
                gate,
            )
            return pid

        pid: int = await until(backend, seconds=_SETTLED_SECONDS, what=f"a load is caught at gate {gate}")
        return pid

    async def terminate(self, backend: int) -> None:
        assert await self._connection.fetchval("SELECT pg_terminate_backend($1)", backend)

    async def settled(self) -> None:
        """No transaction that wrote anything is open: what a dead process left behind has been committed or undone."""

        async def is_so() -> bool:
            writing = (
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL"
            )
            return not await self._connection.fetch(writing)

        await until(is_so, seconds=_SETTLED_SECONDS, what="every load has ended")

    async def deals_by_state(self) -> dict[str, list[int]]:
        """How many deals are stored of each upload, by its state; those of an upload that nobody knows under "unknown"."""
        rows = await self._connection.fetch(
            """
            SELECT coalesce(state, 'unknown') AS state, count(*) AS deals FROM deals
            LEFT JOIN deal_uploads ON deal_uploads.id = upload_id GROUP BY upload_id, state
            """
        )
        found: dict[str, list[int]] = {}
        for row in rows:
            found.setdefault(row["state"], []).append(row["deals"])
        return found


class Sending:
    """One upload over a connection of its own, as fast or slow as the test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def begun(cls, api: Running, size: int) -> "Sending":
        """The process has said that it now receives the body of this many bytes."""
        address = urlsplit(api.url)
        sending = cls(*await asyncio.open_connection(address.hostname, address.port))
        await sending.send(
            f"POST {PATH} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: text/csv\r\nContent-Length: {size}\r\n"
            "Expect: 100-continue\r\nConnection: close\r\n\r\n".encode()
        )
        told = await sending._reader.readuntil(b"\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 100 "), told
        return sending

    async def send(self, content: bytes) -> None:
        self._writer.write(content)
        await self._writer.drain()

    def leave(self) -> None:
        self._writer.transport.abort()

    async def answer(self) -> tuple[int | None, int | None]:
        """Status and id of the upload; no status where the process died before it answered."""
        try:
            said = await self._reader.read()
        except ConnectionError:
            return None, None
        finally:
            self._writer.close()
        head = said.partition(b"\r\n\r\n")[0].decode()
        if not head:
            return None, None
        named = [line.partition(":")[2] for line in head.splitlines() if line.startswith(f"{UPLOAD}:")]
        return int(head.split()[1]), int(named[0]) if named else None


class Uploaders:
    """API processes, to be killed. The next one starts while the one before is still in use."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._next = asyncio.create_task(stack.api())
        self._used: Running | None = None

    async def one(self) -> Running:
        if self._used is None:
            self._used = await self._next
            self._next = asyncio.create_task(self._stack.api())
        return self._used

    async def kill(self) -> None:
        used = await self.one()
        await used.kill()
        self._stack.processes.remove(used)
        self._used = None

    async def close(self) -> None:
        await asyncio.gather(self._next, return_exceptions=True)


@dataclass(slots=True)
class Readers:
    """Ask one API process again and again. Every answer must be that of a known file as a whole, one upload has one answer,
    and none comes after that of a later file.
    """

    http: aiohttp.ClientSession
    url: str
    answers: int = 0
    """So far."""
    seen: set[int] = field(default_factory=set)
    """Numbers of the files whose answers were read, since somebody emptied this."""
    _files: dict[tuple[object, ...], int] = field(default_factory=dict)
    _parsed: dict[bytes, int] = field(default_factory=dict)
    _uploads: dict[int, int] = field(default_factory=dict)

    def know(self, number: int, answer: Answer) -> None:
        """Files are numbered in the order of their uploads."""
        self._files[key_of(answer)] = number

    async def read(self) -> tuple[int, int]:
        """The number of the file that is answered now, and the id of its upload."""
        async with self.http.get(self.url + PATH) as response:
            body = await response.read()
            assert response.status == 200, body
            upload = int(response.headers[UPLOAD])
        number = self._parsed.get(body)
        if number is None:
            number = self._parsed[body] = self._number_of(body)
        assert self._uploads.setdefault(upload, number) == number
        self.seen.add(number)
        self.answers += 1
        return number, upload

    def _number_of(self, body: bytes) -> int:
        key = key_of(read_json(body)["response"])
        assert key in self._files, f"the answer of no file as a whole: {body!r}"
        return self._files[key]

    @asynccontextmanager
    async def reading(self, readers: int) -> AsyncIterator[None]:
        """So many, while the block runs. What is wrong with an answer ends the block."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read_on()) for _ in range(readers)]
            yield
            for task in tasks:
                task.cancel()

    async def _read_on(self) -> None:
        newest = 0
        while True:
            number, _ = await self.read()
            assert number >= newest
            newest = number
            # Without a pause they would take the processors from those who are to be killed in the middle of their work.
            await asyncio.sleep(_BETWEEN_READS)


def some_of(content: bytes, chance: random.Random) -> bytes:
    """Its beginning, up to anywhere."""
    return content[: chance.randrange(len(content))]

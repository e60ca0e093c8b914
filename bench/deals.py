r"""A file of a million deals, 52 MB, uploaded over HTTP, beside psql's \copy of the same file; and the top five.

python -m bench.deals [--rounds 5] [--quick]

PostgreSQL with fsync. Every upload replaces the one before, and the next turn waits until the rows of that are gone and
vacuumed away. psql copies, as it is, what our API checks cell by cell and sums up, into a table with the same columns.
In the second file every cell is in quotes. The growth is from the API's memory before its first upload to its peak.
"""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import asyncpg

from bench.deals_file import ORDINARY, QUOTED, WrittenDeals, write_deals
from bench.memory import megabytes
from bench.part import Options, run_part
from bench.rig import Rig
from bench.table import Goal, Series, percentile, print_table
from deploy.servers.cluster import psql
from tests.e2e.processes import Running, Stack
from tests.waiting import until

DEALS = 1_000_000
REQUESTS = 1000
"""For the top five, one after another, of a round."""
PATH = "/api/deals/"
GONE_SECONDS = 120.0
COPY, FORM, BARE, AGAIN = r"\copy", "upload, form", "upload, text/csv", "the same file again"
COPY_QUOTED, FORM_QUOTED = rf"{COPY}, all quoted", f"{FORM}, all quoted"
_BOUNDARY = "bench-deals"
_BEFORE = (
    f"--{_BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="deals"; filename="deals.csv"\r\n'
    "Content-Type: text/csv\r\n\r\n"
).encode()
_AFTER = f"\r\n--{_BOUNDARY}--\r\n".encode()


@dataclass(frozen=True, slots=True)
class _Body:
    """How a file is sent."""

    file: Path
    content_type: str
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was measured, in seconds and MB."""

    taken: dict[str, Series] = field(default_factory=dict)
    growth: Series = field(default_factory=lambda: Series("API, growth"))
    gone: Series = field(default_factory=lambda: Series("until the old rows are gone, after the answer"))
    first: Series = field(default_factory=lambda: Series("first request after an upload"))
    p50: Series = field(default_factory=lambda: Series("p50"))
    p99: Series = field(default_factory=lambda: Series("p99"))

    def add(self, name: str, seconds: float) -> None:
        self.taken.setdefault(name, Series(name)).values.append(seconds)


class _Bench:
    """The API, the database, and the two files."""

    def __init__(
        self,
        api: Running,
        http: aiohttp.ClientSession,
        database: "asyncpg.Connection[asyncpg.Record]",
        url: str,
        files: dict[str, WrittenDeals],
    ) -> None:
        self._api, self._http, self._database, self._url, self._files = api, http, database, url, files
        self._memory_before = 0.0
        self._upload_id = 0
        """Of the last answer."""
        self.seen = _Seen()

    async def prepare(self) -> None:
        """The first upload is not measured: it has nothing to replace."""
        await self._database.execute(
            "CREATE TABLE copied AS SELECT customer, item, total, quantity, date FROM deals WITH NO DATA"
        )
        await self._top_five()
        self._memory_before = megabytes(self._api, "VmRSS")
        await self._upload(_form(self._files[QUOTED].path))

    async def round(self, requests: int) -> None:
        ordinary, quoted = (self._files[name].path for name in (ORDINARY, QUOTED))
        turns: dict[str, Callable[[], Awaitable[float]]] = {
            COPY: lambda: self._copy(ordinary),
            FORM: lambda: self._upload(_form(ordinary)),
            BARE: lambda: self._upload(_bare(ordinary)),
            COPY_QUOTED: lambda: self._copy(quoted),
            FORM_QUOTED: lambda: self._upload(_form(quoted)),
            AGAIN: lambda: self._upload(_form(quoted), is_new=False),
        }
        for name, turn in turns.items():
            self.seen.add(name, await turn())
        times = [(await self._top_five())[0] for _ in range(requests)]
        self.seen.p50.values.append(percentile(times, 0.5))
        self.seen.p99.values.append(percentile(times, 0.99))

    async def _copy(self, file: Path) -> float:
        """By psql, into an empty table."""
        await self._database.execute("TRUNCATE copied")
        command = rf"\copy copied from '{file}' with (format csv, header)"
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(psql(), "-Xq", "-v", "ON_ERROR_STOP=1", "-c", command, self._url),
            env={"PATH": os.environ["PATH"]},
        )
        if await process.wait():
            raise RuntimeError("psql failed")
        return time.perf_counter() - started

    async def _upload(self, body: _Body, *, is_new: bool = True) -> float:
        before = self._upload_id
        _forget_peak(self._api)
        took = await asyncio.to_thread(_post, self._api.url, body)
        first, answer = await self._top_five()
        is_other = self._upload_id != before
        self.seen.growth.values.append(megabytes(self._api, "VmHWM") - self._memory_before)
        if answer != self._files[ORDINARY].answer or is_other is not is_new:
            raise RuntimeError(f"not the deals of {body.file}: {answer}")
        if is_new:
            self.seen.first.values.append(first * 1000)
            started = time.perf_counter()
            await self._forgotten()
            self.seen.gone.values.append(time.perf_counter() - started)
            await self._database.execute("VACUUM deals")
        return took

    async def _forgotten(self) -> None:
        """The rows of the upload before are gone."""

        async def is_alone() -> bool:
            others = "SELECT FROM deals WHERE upload_id <> $1 LIMIT 1"
            return not await self._database.fetch(others, self._upload_id)

        what = "the deals of the replaced upload are deleted"
        await until(is_alone, seconds=GONE_SECONDS, what=what, pause=0.02)

    async def _top_five(self) -> tuple[float, list[tuple[str, int]]]:
        """Seconds, and the customers with what they spent."""
        started = time.perf_counter()
        async with self._http.get(self._api.url + PATH) as response:
            body = await response.read()
            took = time.perf_counter() - started
            if response.status != 200:
                raise RuntimeError(f"{PATH}: {response.status} {body[:300]!r}")
            listed = (await response.json())["response"]
        self._upload_id = int(response.headers.get("Freshrate-Deals-Upload", "0"))
        return took, [(one["username"], one["spent_money"]) for one in listed]


async def measure(rig: Rig, options: Options) -> list[Goal]:
    deals = options.sized(DEALS, DEALS // 50)
    files = await asyncio.to_thread(write_deals, rig.folder(), deals)
    async with rig.stack() as stack, aiohttp.ClientSession() as http, _connected(stack) as database:
        bench = _Bench(await stack.api(), http, database, stack.env["DATABASE_URL"], files)
        await bench.prepare()
        for _ in range(options.rounds):
            await bench.round(options.sized(REQUESTS, REQUESTS // 10))
    return _report(bench.seen, deals)


def _report(seen: _Seen, deals: int) -> list[Goal]:
    ordinary = [seen.taken[name] for name in (COPY, FORM, BARE)]
    quoted = [seen.taken[name] for name in (COPY_QUOTED, FORM_QUOTED, AGAIN)]
    print_table(f"{deals} deals", "s", ordinary, base=ordinary[0])
    print_table(f"{deals} deals, every cell in quotes", "s", quoted, base=quoted[0])
    print_table("meanwhile", "s", [seen.gone])
    print_table("memory during the uploads", "MB", [seen.growth])
    times = [Series(one.name, [value * 1000 for value in one.values]) for one in (seen.p50, seen.p99)]
    print_table("top five", "ms", [*times, seen.first])
    ratios = {
        one.name: Series(one.name, one.over(base))
        for base, one in (*itertools.product(ordinary[:1], ordinary[1:]), (quoted[0], quoted[1]))
    }
    return [
        *(Goal(what=rf"{name}, over \copy", seen=one.median, target=2) for name, one in ratios.items()),
        Goal(what="growth of the API, any upload", seen=max(seen.growth.values), target=20, unit="MB"),
        Goal(what="top five, p50", seen=times[0].median, target=2, unit="ms"),
    ]


def _form(file: Path) -> _Body:
    return _Body(file, f"multipart/form-data; boundary={_BOUNDARY}", _BEFORE, _AFTER)


def _bare(file: Path) -> _Body:
    """With an empty line more, or it would be the same file again."""
    return _Body(file, "text/csv", b"", b"\n")


def _post(url: str, body: _Body) -> float:
    """Seconds until it is answered. The kernel sends the file, so that the client takes little from the server."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=GONE_SECONDS)
    length = len(body.before) + body.file.stat().st_size + len(body.after)
    started = time.perf_counter()
    with contextlib.closing(connection), body.file.open("rb") as content:
        connection.putrequest("POST", PATH)
        connection.putheader("Content-Type", body.content_type)
        connection.putheader("Content-Length", str(length))
        connection.endheaders(body.before)
        connection.sock.sendfile(content)
        connection.send(body.after)
        response = connection.getresponse()
        said = response.read()
        if response.status != 200:
            raise RuntimeError(f"{body.file}: {response.status} {said[:300]!r}")
    return time.perf_counter() - started


def _forget_peak(running: Running) -> None:
    """Where the kernel refuses, the peak is that of the whole life."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{running.process.pid}/clear_refs").write_text("5")


@contextlib.asynccontextmanager
async def _connected(stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(stack.env["DATABASE_URL"])
    try:
        yield connection
    finally:
        await connection.close()


if __name__ == "__main__":
    run_part(measure, __doc__)

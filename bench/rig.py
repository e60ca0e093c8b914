"""The servers and processes of a benchmark: PostgreSQL with fsync (in full runs), Valkey, freshrate's own processes, and the peers.

The peers' packages stay out of our environment: those peers that need any run on the Python of `bench/.venv`, which
`make bench` installs.
"""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp

from deploy.servers.ports import free_port
from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer
from tests.e2e.processes import ROOT, Running, Stack
from tests.waiting import until

PEERS_PYTHON = Path(__file__).parent / ".venv" / "bin" / "python"
FIRST_RATE_SECONDS = 30.0
_UNLIMITED = {
    "REFRESHES_PER_MINUTE": "0",
    "COINMARKETCAP_CALLS_PER_MINUTE": "0",
    # A budget costs a round trip per visit, which production pays too.
    "COINMARKETCAP_CREDITS_PER_MONTH": "1000000000",
    "PRICE_SCHEDULE": "1h",
}


class Rig:
    """The two servers. Every stack on them has a database of its own, and Valkey empty."""

    def __init__(
        self, folder: Path, postgres: PostgresServer, valkey: ValkeyServer, *, is_quick: bool
    ) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._valkey = valkey
        self._postgres = postgres
        self._is_quick = is_quick

    def database_url(self) -> str:
        """Of a new, empty database."""
        return self._postgres.url(self._postgres.create_database())

    def folder(self) -> Path:
        """A new, empty one."""
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        return folder

    @asynccontextmanager
    async def stack(self, **env: str) -> AsyncIterator[Stack]:
        """Nothing runs in it yet; whatever is started in it ends with it."""
        self._valkey.ask("FLUSHALL")
        servers = {"DATABASE_URL": self.database_url(), "REDIS_URL": self._valkey.url}
        stack = Stack(self.folder(), {**servers, **_UNLIMITED, **env}, are_forked=self._is_quick)
        try:
            yield stack
        finally:
            await stack.close()


@contextmanager
def open_rig(*, is_quick: bool) -> Iterator[Rig]:
    """Starts the servers, and leaves nothing behind. The quick form spares itself what only figures need: fsync, and an
    interpreter of its own for each process."""
    with tempfile.TemporaryDirectory(prefix="freshrate-bench-") as name:
        folder = Path(name)
        postgres, valkey = PostgresServer(durable=not is_quick), ValkeyServer(folder / "valkey")
        try:
            postgres.start()
            valkey.start()
            yield Rig(folder, postgres, valkey, is_quick=is_quick)
        finally:
            valkey.stop()
            postgres.remove()


async def first_rate(http: aiohttp.ClientSession, api: Running) -> bytes:
    """The body of Bitcoin's last rate, once there is one."""

    async def polled() -> bytes:
        async with http.get(f"{api.url}/api/lastrate/1/") as response:
            return await response.read() if response.status == 200 else b""

    body: bytes = await until(polled, seconds=FIRST_RATE_SECONDS, what="the first poll")
    return body


async def serve_peer(
    stack: Stack, module: str, *arguments: str, path: str, python: str = sys.executable
) -> Running:
    """A peer that serves HTTP: its module takes the port, then the arguments."""
    port = free_port()
    running = await Running.start(
        f"{module}-{port}",
        *("-m", f"bench.peers.{module}", str(port), *arguments),
        folder=stack.folder,
        env={},
        url=f"http://127.0.0.1:{port}",
        python=python,
    )
    stack.processes.append(running)
    return await running.ready(path)


class Dialogue:
    """A peer that measures itself, for it has no HTTP of its own: it answers a line with a line."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    async def ask(self, line: str) -> list[float]:
        """Seconds, one or more."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the peer was started without pipes")
        self._process.stdin.write(f"{line}\n".encode())
        said = await self._process.stdout.readline()
        if not said:
            raise RuntimeError(f"the peer ended:\n{self._log.read_text()}")
        return [float(word) for word in said.split()]


@asynccontextmanager
async def ask_peer(folder: Path, module: str, *arguments: str) -> AsyncIterator[Dialogue]:
    """A peer of `bench/.venv` that takes lines."""
    log = folder / f"{module}-asked.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(str(PEERS_PYTHON), "-m", f"bench.peers.{module}", *arguments),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    try:
        yield Dialogue(process, log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()

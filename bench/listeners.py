"""The clients of the benchmark of streams, as it sees them: a process of their own (`bench.crowd`)."""

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.e2e.processes import ROOT

SPARE_FILES = 300
"""That a process has open beside its clients."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Lags from each announcement to its arrival at each client."""

    p50_ms: float
    p99_ms: float
    last_ms: float
    cpu_seconds: float
    """That the listeners themselves took since they were told what to expect."""


def may_open(clients: int) -> bool:
    """Whether the hard limit of open files allows so many in one process."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard == resource.RLIM_INFINITY or hard >= clients + SPARE_FILES


class Listeners:
    """The process, as a benchmark sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, url: str, clients: int, *, subscribe: str = "", current: int = 0
    ) -> AsyncIterator["Listeners"]:
        """All are connected, and have the rates of now. `current`: how many those are."""
        options = ("--subscribe", subscribe, "--current", str(current))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.crowd", url, str(clients), *options),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        listeners = cls(process)
        try:
            await listeners._heard()
            yield listeners
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def expect(self, messages: int) -> None:
        await self._ask(f"expect {messages}")

    async def lags(self, announced: Sequence[float]) -> Heard:
        """Waits until every client has all."""
        return Heard(**json.loads(await self._ask(f"lags {' '.join(map(repr, announced))}")))

    async def _ask(self, line: str) -> bytes:
        if self._process.stdin is None:
            raise RuntimeError("the listeners were started without pipes")
        self._process.stdin.write(f"{line}\n".encode())
        return await self._heard()

    async def _heard(self) -> bytes:
        if self._process.stdout is None:
            raise RuntimeError("the listeners were started without pipes")
        said = await self._process.stdout.readline()
        if not said:
            raise RuntimeError("the listeners ended, see above")
        return said

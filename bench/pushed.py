"""One who pushes in the benchmark of streams: a server process, its clients, and what was measured of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench.listeners import Listeners
from bench.memory import megabytes
from bench.table import Series, percentile
from tests.e2e.processes import Running

ASK_PAUSE = 0.005
_NOTHING = 0.01
"""Less cannot be measured, and nothing can be divided by 0."""

Tell = Callable[[], Awaitable[float]]
"""Has one message, or one poll, sent to all clients. Gives the moment before that."""


class Pushed:
    """`stream`: its URL. `asked`: that of a plain GET."""

    def __init__(
        self, name: str, server: Running, *, stream: str, asked: str, tell: Tell, subscribe: str = ""
    ) -> None:
        self.name = name
        self.server = server
        self._stream, self._subscribe = stream, subscribe
        self._asked = asked
        self._tell = tell
        self._clients = 0
        self._listeners: Listeners | None = None
        self._announced: list[float] = []
        self._cpu = 0.0
        self._idle = 0.0
        """Processor seconds per second with all clients and nothing to say."""
        self.p50, self.p99, self.last = Series(name), Series(name), Series(name)
        self.cpu, self.core, self.memory = Series(name), Series(name), Series(name)
        self.listening = Series(f"clients of {name}")
        self.answers = {is_fed: Series(f"{name}, {'fed' if is_fed else 'idle'}") for is_fed in (False, True)}

    @asynccontextmanager
    async def opened(self, clients: int, *, current: int) -> AsyncIterator[None]:
        """With so many clients, each of which first gets `current` rates."""
        before = megabytes(self.server, "VmRSS")
        async with Listeners.opened(
            self._stream, clients, subscribe=self._subscribe, current=current
        ) as self._listeners:
            self._clients = clients
            yield
            grown = (megabytes(self.server, "VmRSS") - before) * 1024 / clients
            self.memory.values.append(max(grown, _NOTHING))

    async def idle(self, seconds: float) -> None:
        started, before = time.perf_counter(), cpu_seconds(self.server)
        await asyncio.sleep(seconds)
        self._idle = (cpu_seconds(self.server) - before) / (time.perf_counter() - started)

    async def expect(self, messages: int) -> None:
        """A round of so many begins."""
        self._announced.clear()
        await self._heard.expect(messages)
        self._cpu = cpu_seconds(self.server) - self._idle * time.perf_counter()

    async def tell(self, messages: int = 1) -> None:
        self._announced += [await self._tell()] * messages

    async def note(self) -> None:
        """The round is over."""
        heard = await self._heard.lags(self._announced)
        over = cpu_seconds(self.server) - self._idle * time.perf_counter() - self._cpu
        messages = len(self._announced)
        self.p50.values.append(heard.p50_ms)
        self.p99.values.append(heard.p99_ms)
        self.last.values.append(heard.last_ms)
        self.cpu.values.append(max(over * 1e6 / messages / self._clients, _NOTHING))
        self.core.values.append(max((self._idle + over / messages) * 100, _NOTHING))
        self.listening.values.append(max(heard.cpu_seconds * 1e6 / messages / self._clients, _NOTHING))

    async def ask(self, http: aiohttp.ClientSession, seconds: float, *, is_fed: bool) -> None:
        """Many times a second, whether the answer before has come or not, for an arrested server must not be spared
        questions."""
        begun = time.perf_counter()
        end = begun + seconds
        taken: list[asyncio.Task[float]] = []
        async with asyncio.TaskGroup() as group:
            while (due := begun + len(taken) * ASK_PAUSE) < end:
                await sleep_until(due)
                taken.append(group.create_task(self._answer(http, due)))
        self.answers[is_fed].values.append(percentile([task.result() for task in taken], 0.99))

    async def _answer(self, http: aiohttp.ClientSession, due: float) -> float:
        """Milliseconds."""
        async with http.get(self._asked) as response:
            await response.read()
            if response.status != 200:
                raise RuntimeError(f"{self._asked}: {response.status}")
        return (time.perf_counter() - due) * 1000

    @property
    def _heard(self) -> Listeners:
        if self._listeners is None:
            raise RuntimeError(f"{self.name} has no clients yet")
        return self._listeners


def cpu_seconds(running: Running) -> float:
    """Of all threads so far, in the kernel too. Its own figures of a process count hundredths."""
    tasks = Path(f"/proc/{running.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


async def sleep_until(moment: float) -> None:
    """By `time.perf_counter`."""
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))

"""One process of the stack: started, watched, started again when it dies, ended in order.

Each leads a session of its own, so a terminal's Ctrl-C reaches the stack alone, which then ends them one after another.
Where the stack itself is killed, the kernel tells them (Linux: PR_SET_PDEATHSIG).
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process as Child
from collections.abc import Callable
from dataclasses import dataclass

from deploy.servers.launch import Launch
from deploy.stack.alive import is_alive
from deploy.stack.console import Console
from deploy.stack.errors import StackError

READY_WITHIN_S = 300.0
"""Long, because a server that was killed reads its journal first. Ctrl-C ends the wait."""
_PAUSES_S = (1.0, 2.0, 5.0, 10.0)
"""Before it starts again; the last one for every further time."""
_WELL_AFTER_S = 60.0
"""A life that lasted this long is no failure to start: the next pause is the shortest again."""
_LOOKS_EVERY_S = 0.05
_LAST_LINES_S = 1.0
_NO_SUCH_COMMAND = 127
"""What a shell says of it."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What to start, how it is seen to be ready, and how it is asked to end."""

    name: str
    launch: Launch
    is_ready: Callable[[int], bool]
    """By its process id. Called in a thread, for it may wait a moment for an answer."""
    stop_signal: signal.Signals = signal.SIGTERM
    stops_within: float = 10.0
    """Seconds, after which it is killed."""


class Kept:
    """A service that is kept alive between `start` and `stop`."""

    def __init__(self, service: Service, console: Console, *, lock: int) -> None:
        self.service = service
        self._console = console
        self._lock = lock
        self._stop = asyncio.Event()
        self._up = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._latest: Child | None = None

    @property
    def child(self) -> Child | None:
        """The process, where one runs."""
        return self._latest if self._latest is not None and self._latest.returncode is None else None

    async def start(self) -> None:
        """Returns when it is ready; StackError where it ends before that, or takes too long."""
        self._keeping = asyncio.create_task(self._keep(), name=self.service.name)
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait({self._keeping, up}, timeout=READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if not self._up.is_set() and not self._stop.is_set():
            if self._keeping.done():
                self._keeping.result()
            raise StackError(f"{self.service.name} did not start; its lines above say why.")

    async def stop(self) -> None:
        """Harmless where it does not run."""
        self._stop.set()
        if self._keeping is not None:
            await self._keeping

    async def _keep(self) -> None:
        pauses = iter(_PAUSES_S)
        while True:
            born_at = time.monotonic()
            code = await self._live()
            if self._stop.is_set() or not self._up.is_set():
                return
            if time.monotonic() - born_at > _WELL_AFTER_S:
                pauses = iter(_PAUSES_S)
            pause = next(pauses, _PAUSES_S[-1])
            self._console.say(f"{self.service.name} {_end_of(code)}; it starts again in {pause:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
                return

    async def _live(self) -> int:
        """One life; gives its exit code."""
        try:
            child, reading = await self._spawn()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._console.say(f"{self.service.name} cannot be started: {error}")
            return _NO_SUCH_COMMAND
        self._latest = child
        relaying = asyncio.create_task(self._relay(reading))
        looking = asyncio.create_task(self._look(child.pid))
        ended = asyncio.create_task(child.wait())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        looking.cancel()
        stopping.cancel()
        if not ended.done():
            await self._end(child, ended)
        await asyncio.wait({relaying}, timeout=_LAST_LINES_S)
        relaying.cancel()
        return await ended

    async def _relay(self, reading: int) -> None:
        lines = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(reading, "rb", buffering=0)
        )
        try:
            await self._console.relay(self.service.name, lines)
        finally:
            transport.close()

    async def _spawn(self) -> tuple[Child, int]:
        """The child, and where to read its lines.

        A pipe of our own: with asyncio's, the child's end would be seen only when its last descendant is gone.
        """
        reading, writing = os.pipe()
        try:
            return await self._spawn_into(writing), reading
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)

    async def _spawn_into(self, output: int) -> Child:
        launch = self.service.launch
        return await asyncio.create_subprocess_exec(
            *launch.command,
            cwd=launch.folder,
            env=launch.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(self._lock,),
            user=launch.user,
            group=launch.user,
            extra_groups=None if launch.user is None else [],
            preexec_fn=_told_of_our_death(self.service.stop_signal),
        )

    async def _look(self, pid: int) -> None:
        while not await asyncio.to_thread(self._is_ready, pid):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(_LOOKS_EVERY_S)
        if self._up.is_set():
            self._console.say(f"{self.service.name} is back, as process {pid}")
        self._up.set()

    def _is_ready(self, pid: int) -> bool:
        """Whoever else answers in the place of a child that has ended: that child is not ready."""
        return self.service.is_ready(pid) and is_alive(pid)

    async def _end(self, child: Child, ended: "asyncio.Task[int]") -> None:
        # Who was stopped (SIGSTOP) hears nothing before it goes on.
        for number in (self.service.stop_signal, signal.SIGCONT):
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)
        done, _ = await asyncio.wait({ended}, timeout=self.service.stops_within)
        if not done:
            self._console.say(
                f"{self.service.name} did not stop within {self.service.stops_within:g} s; it is killed"
            )
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def _end_of(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _told_of_our_death(number: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def tell() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return tell

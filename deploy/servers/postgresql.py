"""A real PostgreSQL server of one's own: on a free port of 127.0.0.1, in a temporary folder or one that is kept."""

import contextlib
import itertools
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from deploy.servers.cluster import Cluster, psql
from deploy.servers.launch import Launch, ServerFailed
from deploy.servers.ports import free_port

_READY_WITHIN_S = 30
_STOPS_WITHIN_S = 15
_STATUS_LINE = 7
"""Of postmaster.pid: what the server says of itself."""
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "log_checkpoints": "off",
    "timezone": "UTC",
}


class PostgresServer:
    """Keeps its port and its data over `stop` and `start`; `remove` ends it for good.

    `durable`: with fsync, as in production; else it forgets all when the machine crashes, and is faster.
    `folder`: for its data, which `remove` then leaves alone; None: a temporary one. `password`: what clients must
    know; empty: whoever reaches the port is let in, as befits a test.
    """

    user = "freshrate"
    stop_signal = signal.SIGINT
    """Ends connections and writes everything; SIGTERM would wait for the clients to leave."""

    def __init__(
        self,
        *,
        durable: bool = False,
        port: int | None = None,
        folder: Path | None = None,
        password: str = "",
    ) -> None:
        self.port = port or free_port()
        self._durable = durable
        self._password = password
        self._cluster = Cluster(folder, user=self.user, password=password, is_durable=durable)
        self._process: subprocess.Popen[bytes] | None = None
        self._names = (f"test_{number}" for number in itertools.count(1))

    def address(self, database: str) -> str:
        """The URL without the password."""
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    def url(self, database: str) -> str:
        """With the password, where there is one."""
        password = f":{self._password}" if self._password else ""
        return f"postgresql://{self.user}{password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def launch(self) -> Launch:
        """How to start the server, for who runs it himself. Makes the data where there are none."""
        self._cluster.make()
        settings = _SETTINGS | {"port": str(self.port)} | ({} if self._durable else _FORGETFUL)
        arguments = ["-D", str(self._cluster.data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        return self._cluster.launch("postgres", *arguments)

    def is_ready(self, pid: int) -> bool:
        """Whether the server that runs as `pid` takes connections."""
        try:
            lines = (self._cluster.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # The file is there a moment before its lines are.
        return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == "ready"

    def start(self) -> None:
        """Returns when the server takes connections; ServerFailed with its log where it does not."""
        if self._process is not None:
            raise RuntimeError("already started")
        try:
            launch = self.launch()
            log = self._cluster.folder / "postgresql.log"
            with log.open("ab") as lines:
                self._process = self._spawn(launch, lines)
            self._wait_until_ready(self._process, log)
        except ServerFailed:
            self.remove()
            raise

    def stop(self) -> None:
        """Ends the server and every connection; `start` brings it back."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Ends the server like a crash, without a checkpoint; `start` recovers what was durable."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        """Ends the server and removes its data, unless they are in a folder that is kept."""
        self.kill()
        self._cluster.remove()

    def pause(self) -> None:
        """The server hangs: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def execute(self, sql: str, *, database: str = "postgres") -> str:
        """What psql prints for one statement."""
        done = subprocess.run(
            [psql(), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, self.address(database)],
            env={"PATH": os.environ["PATH"], "PGPASSWORD": self._password},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{sql}: {done.stderr}")
        return done.stdout.strip()

    def create_database(self, *, template: str = "template0") -> str:
        """The name of a new database."""
        name = next(self._names)
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def ensure_database(self, name: str) -> None:
        """Makes the database where there is none of that name."""
        if name not in self.execute("SELECT datname FROM pg_database").splitlines():
            self.execute(f"CREATE DATABASE {name}")

    def drop_database(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _spawn(self, launch: Launch, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """A session of its own keeps a terminal's Ctrl-C away from the server; whoever started it ends it."""
        return subprocess.Popen(
            launch.command,
            cwd=launch.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=launch.user,
            group=launch.user,
            extra_groups=None if launch.user is None else [],
            env=launch.env,
        )

    def _wait_until_ready(self, process: subprocess.Popen[bytes], log: Path) -> None:
        give_up_at = time.monotonic() + _READY_WITHIN_S
        while not self.is_ready(process.pid):
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise ServerFailed(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.01)

    def _signal(self, number: signal.Signals) -> None:
        """To the server and its children, each of which leads a session of its own and may end at any moment."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self.resume()
            self._process.send_signal(number)
        try:
            self._process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

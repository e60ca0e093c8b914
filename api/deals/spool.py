"""Where a file lies until it is loaded: a slow client must hold neither a connection of the database nor a transaction.

Small files lie in memory, others in a temporary file without a name, in the folder that TMPDIR names: it is gone with this
process, whatever ends it.
"""

import asyncio
import errno
import hashlib
from collections.abc import Callable
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self, cast

import structlog

from shared.errors import NoRoomForUpload

log = structlog.get_logger(__name__)

MOST_IN_MEMORY = 1024 * 1024
PIECE = 512 * 1024
"""Bytes that a thread takes at once: half a millisecond."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Spool:
    """Keeps the bytes of one file, and sums them up. Files and sums are worked on in threads."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=MOST_IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self._sum = hashlib.sha256()
        self._piece = bytearray()
        self._work: asyncio.Future[None] | None = None
        self.size = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(self._close())

    async def write(self, chunk: bytes) -> None:
        """Raises NoRoomForUpload."""
        self.size += len(chunk)
        self._piece += chunk
        if len(self._piece) >= PIECE:
            await self._flush()

    async def finish(self) -> "Content":
        """The whole file, at its beginning, for as long as the spool is open. Raises NoRoomForUpload."""
        await self._flush()
        await self._in_thread(lambda: cast("None", self._file.seek(0)))
        return Content(self._file)

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    async def _flush(self) -> None:
        piece, self._piece = self._piece, bytearray()

        def take() -> None:
            self._file.write(piece)
            self._sum.update(piece)

        await self._in_thread(take)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        self._work = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            await asyncio.shield(self._work)
        except OSError as error:
            raise _not_kept(error) from error

    async def _close(self) -> None:
        if self._work is not None:  # a thread cannot be stopped, only waited for
            await asyncio.gather(self._work, return_exceptions=True)
        with suppress(OSError):  # what could not be written then cannot be written now
            await asyncio.to_thread(self._file.close)


class Content:
    """What the spool holds, to be read in a thread."""

    def __init__(self, file: SpooledTemporaryFile[bytes]) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        """The next bytes, at most so many; none at the end. Raises NoRoomForUpload where the disk fails."""
        try:
            return self._file.read(size)
        except OSError as error:
            raise _not_kept(error) from error


def _not_kept(error: OSError) -> NoRoomForUpload:
    log.warning("upload cannot be kept", error=str(error))
    if error.errno in _FULL:
        return NoRoomForUpload()
    return NoRoomForUpload("The upload cannot be kept on the disk of this service.")

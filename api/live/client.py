"""One open stream: what it hears, how far it has heard, and whether it takes what it is sent."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from api.live.wire import End, Wire

if TYPE_CHECKING:
    from api.live.groups import Group
    from api.protocol import HeadDeadlineProtocol

PATIENCE = 5.0
"""Seconds within which a client must have taken what was written, down to some 16 KiB."""
LAST_SECONDS = 3.0
"""For a client to take its last word; then its connection is cut."""
STOPPING_SECONDS = 1.0
"""The same where the process stops, for which it has only a few."""
DEAD_MS = 30_000
"""What is sent and not acknowledged for so long ends the connection, where the system can do that."""
SEND_BUFFER = 128 * 1024
"""Bytes that the system takes for a client ahead of what was acknowledged. Left to itself it takes megabytes, in which a slow
client would be far behind before anybody sees it, and which stand ahead of its last word."""

Ids: TypeAlias = frozenset[int] | None
"""Currencies; None: all."""


class Gone(Exception):
    """The stream has ended."""


class TooSlow(Exception):
    """The client does not take what it is sent."""


class Client:
    """A stream. The hub says what is written; here it is written."""

    def __init__(
        self,
        wire: Wire,
        ids: Ids,
        connection: "HeadDeadlineProtocol",
        on_lost: "Callable[[Client], None]",
    ) -> None:
        """Raises ConnectionResetError where the client has gone already."""
        if connection.transport is None:
            raise ConnectionResetError("The client is gone.")
        self.wire = wire
        self.ids = ids
        self.transport = connection.transport
        self._connection = connection
        self._on_lost = on_lost
        self.group: Group | None = None
        """None while it is brought up to date."""
        self.position = 0
        """The number of the frame up to which all that it listens to was written."""
        self.owed: dict[int, None] = {}
        """Currencies whose current rate it is still to be told."""
        self.owed_all_of: int | None = None
        """It is still to be told all current rates, as they were at this frame or later."""
        self.following: asyncio.Task[None] | None = None
        """What brings it up to date, where it does not do that itself."""
        self.is_heard = True
        """Whether it sent anything since the last ping."""
        self.end: End | None = None
        self.ended = asyncio.get_running_loop().create_future()
        self._room = asyncio.Event()
        """Set when more may be written. Several may wait: what brings it up to date, and what answers it."""
        self._is_lost = False
        self._cut: asyncio.TimerHandle | None = None
        connection.listener = self
        _prepare(self.transport)

    def hears(self, currency_id: int) -> bool:
        return self.ids is None or currency_id in self.ids

    def write(self, data: bytes) -> None:
        if data and not self.transport.is_closing():
            self.transport.write(data)

    async def room(self) -> None:
        """Returns when so much was taken that more may be written. Raises TooSlow, or Gone."""
        while self.end is None and self._connection.writing_paused:
            self._room.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._room.wait()
            except TimeoutError:
                raise TooSlow from None
        if self.end is not None:
            raise Gone

    def finish(self, end: End) -> None:
        """Says the last word, and sees to it that the connection does not stay."""
        self.end = end
        self.write(self.wire.last_word(end))
        self._room.set()
        if not self.ended.done():
            self.ended.set_result(None)
        if end is End.SILENT:
            self.transport.abort()
        elif not self._is_lost:
            # Also where it is closing: that waits until all was taken.
            seconds = STOPPING_SECONDS if end is End.STOPPING else LAST_SECONDS
            self._cut = asyncio.get_running_loop().call_later(seconds, self.transport.abort)

    # What the connection tells

    def resumed(self) -> None:
        self._room.set()

    def lost(self) -> None:
        self._is_lost = True
        if self._cut is not None:
            self._cut.cancel()
        self._connection.listener = None
        self._on_lost(self)


def _prepare(transport: asyncio.Transport) -> None:
    """Has the system keep little for a connection that takes nothing, and end one whose other end is gone without a word: what
    hears events answers nothing."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    connection = transport.get_extra_info("socket")
    if connection is None:
        return
    with suppress(OSError):  # it is closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, DEAD_MS)

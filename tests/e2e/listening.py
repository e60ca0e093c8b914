"""Clients of the live streams: they keep what they heard, in order, and can be slow."""

import asyncio
import base64
import os
import socket
from collections.abc import Collection
from functools import lru_cache
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

import orjson

TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
TINY_BUFFER, WIDE_BUFFER = 4096, 1 << 20
"""Bytes that the system receives ahead for a client that is slow on purpose, and for one that is so no more."""
CONNECT_SECONDS = 60.0


class Listener(asyncio.Protocol):
    """One connection. `currency_ids`: None for all."""

    path: ClassVar[str]

    def __init__(self, every: Collection[int], currency_ids: Collection[int] | None) -> None:
        """`every`: all that there are."""
        self.currency_ids = currency_ids
        self.wanted = frozenset(every if currency_ids is None else currency_ids)
        self.heard: dict[int, list[int]] = {one: [] for one in self.wanted}
        """Ids of rates by currency, in their order."""
        self.reason: str | None = None
        """Why the server ended it, in its word."""
        self.has_joined = asyncio.Event()
        self.is_lost = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._has_head = False
        self._greeted: set[int] = set()
        """Of which it has heard on this connection."""

    def __repr__(self) -> str:
        told = sum(map(len, self.heard.values()))
        state = "lost" if self.is_lost.is_set() else "open"
        return f"<{type(self).__name__} {self.currency_ids} {state} {told} rates {self.reason or ''} {self._rest!r}>"

    async def connect(self, url: str, *, is_slow: bool = False) -> None:
        """Until it has what it gets at once, the first time or again. A slow one reads nothing after that."""
        self.reason, self._rest, self._has_head = None, b"", False
        self._greeted.clear()
        self.has_joined.clear()
        self.is_lost.clear()
        address = urlsplit(url)
        connection = socket.socket()
        if is_slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY_BUFFER)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (address.hostname, address.port))
        await loop.create_connection(lambda: self, sock=connection)
        self.transport.write(
            f"GET {self.target()} HTTP/1.1\r\nHost: {address.netloc}\r\n{self.head()}\r\n".encode()
        )
        async with asyncio.timeout(CONNECT_SECONDS):
            await self.has_joined.wait()
        if is_slow:
            self.transport.pause_reading()

    def read_on(self) -> None:
        """As fast as anybody."""
        own = self.transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WIDE_BUFFER)
        self.transport.resume_reading()

    def leave(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    @property
    def port(self) -> int:
        """Its own."""
        port: int = self.transport.get_extra_info("sockname")[1]
        return port

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    # What each kind says and takes

    def target(self) -> str:
        return self.path

    def head(self) -> str:
        return ""

    def start(self) -> None:
        """The head of the answer has come."""

    def take(self, data: bytes) -> bytes:
        """Gives what is not whole yet."""
        raise NotImplementedError

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self._has_head:
            head, end, rest = data.partition(b"\r\n\r\n")
            if end:
                assert head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 101 ")), data
                self._has_head, data = True, rest
                self.start()
        self._rest = self.take(data) if self._has_head else data

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost.set()

    def note(self, currency_id: int, rate_id: int) -> None:
        assert self.reason is None, "a rate after the last word"
        self.heard[currency_id].append(rate_id)
        self._greeted.add(currency_id)
        if len(self._greeted) == len(self.wanted):
            self.has_joined.set()


class SseListener(Listener):
    """Server-sent events."""

    path = "/api/stream/"

    def __init__(
        self, every: Collection[int], currency_ids: Collection[int] | None, *, last_event_id: str = ""
    ) -> None:
        super().__init__(every, currency_ids)
        self.last_event_id = last_event_id
        self.state: dict[str, Any] = {}
        """How it began."""

    def target(self) -> str:
        return (
            self.path if self.currency_ids is None else f"{self.path}?currency={_listed(self.currency_ids)}"
        )

    def head(self) -> str:
        return f"Last-Event-ID: {self.last_event_id}\r\n" if self.last_event_id else ""

    def take(self, data: bytes) -> bytes:
        *blocks, rest = data.split(b"\n\n")
        for block in blocks:
            self._take(*_event(block))
        return rest

    def _take(self, kind: str, event_id: str, content: Any) -> None:
        self.last_event_id = event_id or self.last_event_id
        if kind == "rate":
            self.note(*content)
        elif kind == "state":
            self.state = content
            if content["resumed"]:
                self.has_joined.set()
        elif kind == "end":
            self.reason = content["reason"]


class SocketListener(Listener):
    """A WebSocket."""

    path = "/api/ws/"

    def head(self) -> str:
        key = base64.b64encode(os.urandom(16)).decode()
        return f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"

    def start(self) -> None:
        wanted = "all" if self.currency_ids is None else sorted(self.currency_ids)
        self._say(TEXT, orjson.dumps({"subscribe": wanted}))

    def take(self, data: bytes) -> bytes:
        at = 0
        while (frame := _frame(data, at)) is not None:
            kind, content, at = frame
            if kind == TEXT:
                self.note(*_said(content))
            elif kind == PING:
                self._say(PONG, content)
            elif kind == CLOSE:
                self.reason = content[2:].partition(b":")[0].decode()
                self._say(CLOSE, content[:2])
        return data[at:]

    def _say(self, kind: int, content: bytes) -> None:
        length = (
            bytes((0x80 | len(content),)) if len(content) < 126 else b"\xfe" + len(content).to_bytes(2, "big")
        )
        self.transport.write(bytes((kind,)) + length + bytes(4) + content)


def _listed(currency_ids: Collection[int]) -> str:
    return ",".join(map(str, sorted(currency_ids)))


def _frame(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Kind, content, and where the next one begins; None where it is not whole yet."""
    if len(data) < at + 2:
        return None
    length, begin = data[at + 1], at + 2
    if length > 125:
        begin += 2 if length == 126 else 8
        length = int.from_bytes(data[at + 2 : begin], "big")
    end = begin + length
    return None if len(data) < end else (data[at], data[begin:end], end)


# All clients get the same bytes, so one of them reads for all.


@lru_cache(maxsize=4096)
def _said(content: bytes) -> tuple[int, int]:
    rate = orjson.loads(content)["rate"]
    return rate["currency"], rate["id"]


@lru_cache(maxsize=4096)
def _event(block: bytes) -> tuple[str, str, Any]:
    """Kind, id and content. A comment has no kind."""
    fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":"))
    kind = fields.get("event", "")
    content = orjson.loads(fields.get("data", "null"))
    if kind == "rate":
        content = content["currency"], content["id"]
    return kind, fields.get("id", ""), content

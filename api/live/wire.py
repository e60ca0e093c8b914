"""What goes over the two kinds of streams, as bytes: events (WHATWG HTML, 9.2) and WebSocket frames (RFC 6455)."""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import orjson

_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A
"""Whole frames: the first byte with FIN."""
_SHORT, _MEDIUM = 126, 65_536
_LONGEST_REASON = 123
"""Bytes: a control frame has at most 125, and two are the code."""


class Kind(StrEnum):
    """How a client listens."""

    SSE = "sse"
    WEBSOCKET = "websocket"


class End(StrEnum):
    """Why a stream ended."""

    LEFT = "left"
    """The client went, in order or not."""
    SLOW = "slow"
    SILENT = "silent"
    """It answered no ping."""
    MALFORMED = "malformed"
    """What it sent is no WebSocket."""
    STOPPING = "stopping"
    BROKEN = "broken"
    """A defect of ours."""


_TOLD = {
    End.SLOW: (1013, "Too slow: what it was sent was not taken in time. Connect again."),
    End.STOPPING: (1001, "This process is stopping. Connect again."),
    End.BROKEN: (1011, "Something broke on our side. Connect again."),
}
"""The code of a close frame, and the reason for people. Whoever left is told nothing."""


class Wire(Protocol):
    """The bytes of one kind."""

    @property
    def kind(self) -> Kind: ...

    @property
    def heartbeat(self) -> bytes: ...

    def rate(self, body: bytes, event_id: str | None) -> bytes:
        """`body`: the rate as JSON. `event_id`: where a client that hears this may go on."""

    def last_word(self, end: End) -> bytes:
        """Empty where nobody is there to hear it."""


@dataclass(frozen=True, slots=True)
class SseWire:
    """Server-sent events."""

    kind: Kind = Kind.SSE
    heartbeat: bytes = b":\n\n"

    def rate(self, body: bytes, event_id: str | None) -> bytes:
        return event("rate", body, event_id)

    def last_word(self, end: End) -> bytes:
        if end not in _TOLD:
            return b""
        return event("end", orjson.dumps({"reason": end.value, "detail": _TOLD[end][1]}))


@dataclass(frozen=True, slots=True)
class WebSocketWire:
    """Frames of a server, which are not masked."""

    kind: Kind = Kind.WEBSOCKET
    heartbeat: bytes = bytes((_PING, 0))

    def rate(self, body: bytes, event_id: str | None) -> bytes:  # noqa: ARG002 - a socket has no ids
        return text_frame(b'{"rate":%b}' % body)

    def last_word(self, end: End) -> bytes:
        return close_frame(_TOLD[end][0], f"{end.value}: {_TOLD[end][1]}") if end in _TOLD else b""


SSE = SseWire()
WEBSOCKET = WebSocketWire()


def event(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """`data`: without line breaks, as JSON is."""
    id_line = f"id: {event_id}\n" if event_id else ""
    return f"event: {name}\n{id_line}data: ".encode() + data + b"\n\n"


def text_frame(payload: bytes) -> bytes:
    return _frame(_TEXT, payload)


def pong_frame(payload: bytes) -> bytes:
    return _frame(_PONG, payload)


def close_frame(code: int, reason: str = "") -> bytes:
    """`code` 0: none."""
    told = struct.pack("!H", code) + reason.encode()[:_LONGEST_REASON] if code else b""
    return _frame(_CLOSE, told)


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < _SHORT:
        return bytes((first, length)) + payload
    if length < _MEDIUM:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload

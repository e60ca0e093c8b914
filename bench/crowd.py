"""Thousands of clients of a stream in one process, on raw sockets: they count messages and keep the time, and read nothing.

python -m bench.crowd URL CLIENTS [--subscribe TEXT] [--current 0]

http:// is server-sent events, ws:// a WebSocket, which says TEXT first. Says `ready` when each client has its first CURRENT
messages. Then takes lines: `expect N` forgets what came so far, and `lags SECOND ...`, the moments of the N announcements by
the clock of `time.perf_counter`, which all processes of a machine share, asks for what was heard.
"""

import argparse
import json
import os
import resource
import select
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from bench.table import percentile

OPENED_AT_ONCE = 100
"""Fewer than the backlog of 128 that aiohttp has: whoever finds that full tries again after a second."""
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.0005
"""Between two looks. To be woken for every message would cost both sides more than the message, and clients elsewhere cost a
server nothing of the kind. A lag may be seen so much longer than it is.
"""
_READ = 1 << 18
_EVENT = b"event: rate"
_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A
_MASK = bytes(4)
"""Nothing but zeros."""


class _Client:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.messages = 0
        self._rest = b""
        self.has_head = False

    def count_events(self, data: bytes) -> int:
        """Their first lines; what came of the next one is kept."""
        data = self._rest + data
        self._rest = data[1 - len(_EVENT) :]
        return data.count(_EVENT)

    def count_frames(self, data: bytes) -> int:
        """Whole texts. Answers pings."""
        data = self._rest + data
        at, texts = 0, 0
        while len(data) >= at + 4:
            length = data[at + 1]
            if length < 126:
                body = at + 2
            elif length == 126:
                body, length = at + 4, int.from_bytes(data[at + 2 : at + 4])
            else:
                body, length = at + 10, int.from_bytes(data[at + 2 : at + 10])
            if len(data) < body + length:
                break
            kind, at = data[at], body + length
            if kind == _TEXT:
                texts += 1
            elif kind == _PING:
                self.connection.send(_masked(_PONG, data[body:at]))
            elif kind == _CLOSE:
                raise RuntimeError(f"the server closed a WebSocket: {data[body:at]!r}")
        # A ping without a body is shorter than a header that is looked at.
        if data[at:] == b"\x89\x00":
            self.connection.send(_masked(_PONG, b""))
            at += 2
        self._rest = data[at:]
        return texts

    def take_head(self, data: bytes) -> bytes | None:
        """What follows it; None before its end."""
        head, end, rest = (self._rest + data).partition(b"\r\n\r\n")
        if not end:
            self._rest = head
            return None
        self._rest, self.has_head = b"", True
        if not head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 101 ")):
            raise RuntimeError(f"not a stream: {head!r} {rest!r}")
        return rest


class _Crowd:
    """All clients, and what they heard."""

    def __init__(self, url: str, *, subscribe: str, current: int) -> None:
        self._address = urlsplit(url)
        self._is_socket = self._address.scheme == "ws"
        self._request = self._head().encode()
        self._subscribe = _masked(_TEXT, subscribe.encode()) if subscribe else b""
        self._count = _Client.count_frames if self._is_socket else _Client.count_events
        self._epoll = select.epoll()
        self._clients: dict[int, _Client] = {}
        self._arrivals: list[list[float]] = [[] for _ in range(current)]
        # A new buffer of this size for every message would cost more than all the rest.
        self._buffer = bytearray(_READ)
        self._view = memoryview(self._buffer)
        self._heads = 0
        self._cpu = 0.0

    def open(self, clients: int) -> None:
        for _ in range(0, clients, OPENED_AT_ONCE):
            for _ in range(min(OPENED_AT_ONCE, clients - len(self._clients))):
                self._open_one()
            self._listen(lambda: self._heads == len(self._clients))
            self._listen(self._have_all)

    def obey(self) -> None:
        """Until nobody asks any more."""
        commands = os.fdopen(os.dup(0), "rb", buffering=0)
        self._epoll.register(commands, select.EPOLLIN)
        said = b""
        while True:
            self._listen(lambda: False, but=commands.fileno())
            got = commands.read(1 << 16)
            if not got:
                return
            said += got
            while b"\n" in said:
                line, _, said = said.partition(b"\n")
                self._obey(*line.decode().split())

    def _obey(self, command: str, *words: str) -> None:
        if command == "expect":
            for client in self._clients.values():
                client.messages = 0
            self._arrivals = [[] for _ in range(int(words[0]))]
            self._cpu = time.process_time()
            print("expecting", flush=True)
            return
        self._listen(self._have_all)
        lags = [
            (arrival - float(announced)) * 1000
            for announced, arrivals in zip(words, self._arrivals, strict=True)
            for arrival in arrivals
        ]
        cpu = time.process_time() - self._cpu
        heard = {
            "p50_ms": percentile(lags, 0.5),
            "p99_ms": percentile(lags, 0.99),
            "last_ms": max(lags),
            "cpu_seconds": cpu,
        }
        print(json.dumps(heard), flush=True)

    def _have_all(self) -> bool:
        return all(len(arrivals) == len(self._clients) for arrivals in self._arrivals)

    def _open_one(self) -> None:
        connection = socket.create_connection((self._address.hostname, self._address.port))
        connection.sendall(self._request)
        connection.setblocking(False)
        self._clients[connection.fileno()] = _Client(connection)
        self._epoll.register(connection, select.EPOLLIN)

    def _listen(self, is_done: Callable[[], bool], *, but: int = -1) -> None:
        """`but`: return where something is said there, and wait for that without limit."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_done():
            if but < 0 and time.monotonic() > end:
                heard = [len(arrivals) for arrivals in self._arrivals]
                raise RuntimeError(f"{len(self._clients)} clients, and of each message so many: {heard}")
            for number, _ in self._epoll.poll(1.0):
                if number == but:
                    return
                self._read(self._clients[number])
            time.sleep(LOOK_SECONDS)

    def _read(self, client: _Client) -> None:
        size = client.connection.recv_into(self._buffer)
        now = time.perf_counter()
        if not size:
            raise RuntimeError("the server closed a connection")
        data = bytes(self._view[:size])
        if not client.has_head:
            rest = client.take_head(data)
            if rest is None:
                return
            self._heads += 1
            client.connection.send(self._subscribe)
            data = rest
        before = client.messages
        client.messages += self._count(client, data)
        for arrivals in self._arrivals[before : client.messages]:
            arrivals.append(now)

    def _head(self) -> str:
        address = self._address
        path = f"{address.path}?{address.query}" if address.query else address.path
        upgrade = (
            "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        )
        return f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n{upgrade if self._is_socket else ''}\r\n"


def _masked(kind: int, content: bytes) -> bytes:
    """One frame of a client, of at most 125 bytes."""
    return bytes((kind, 0x80 | len(content))) + _MASK + content


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.crowd",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url")
    parser.add_argument("clients", type=int)
    parser.add_argument("--subscribe", default="")
    parser.add_argument("--current", type=int, default=0)
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    crowd = _Crowd(arguments.url, subscribe=arguments.subscribe, current=arguments.current)
    crowd.open(arguments.clients)
    print("ready", flush=True)
    crowd.obey()


if __name__ == "__main__":
    main()

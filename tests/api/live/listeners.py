"""Clients of live streams, and rates for them."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import aiohttp

from api.memory import RateMemory
from shared.domain.rate import Rate
from tests.api.memories import RATE
from tests.api.rig import START, Rig

PATIENCE = 10.0
_ids = count(1000)


def next_rate(currency_id: int = 1, **changes: Any) -> Rate:
    """Newer than all before it."""
    number = next(_ids)
    return replace(
        RATE,
        **{
            "id": number,
            "currency_id": currency_id,
            "observed_at": START + timedelta(milliseconds=number),
            "price_usd": Decimal(number),
            **changes,
        },
    )


def tell(memory: RateMemory, *rates: Rate) -> list[int]:
    """Makes them the last ones. Gives their ids."""
    memory.learn(rates, prolong=True)
    return [rate.id for rate in rates]


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    name: str
    data: Any
    id: str | None = None


class Stream:
    """An open stream of events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.comments = 0
        self.retry: int | None = None

    async def next(self) -> Event:
        """The next event. Raises EOFError at the end."""
        async with asyncio.timeout(PATIENCE):
            fields: dict[str, str] = {}
            while True:
                line = (await self.response.content.readuntil(b"\n")).decode()
                if not line:
                    raise EOFError
                if line == "\n" and "data" in fields:
                    return Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
                name, _, value = line.rstrip("\n").partition(":")
                if line.startswith(":"):
                    self.comments += 1
                elif name == "retry":
                    self.retry = int(value)
                elif name:
                    fields[name] = value.removeprefix(" ")

    async def begun(self) -> Event:
        """The first event."""
        event = await self.next()
        assert event.name == "state"
        return event

    async def rates(self, number: int) -> list[Event]:
        events = [await self.next() for _ in range(number)]
        assert [event.name for event in events] == ["rate"] * number
        return events

    async def rest(self) -> list[Event]:
        """All until the end."""
        events = []
        while True:
            try:
                events.append(await self.next())
            except EOFError:
                return events


@asynccontextmanager
async def streaming(rig: Rig, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    async with rig.client.get(f"/api/stream/{query}", headers=headers) as response:
        assert response.status == 200, await response.text()
        yield Stream(response)


@asynccontextmanager
async def connected(rig: Rig, *ids: int) -> AsyncIterator["Talk"]:
    """A WebSocket; subscribed, where ids are given."""
    async with rig.client.ws_connect("/api/ws/") as ws:
        talk = Talk(ws)
        if ids:
            await talk.say(subscribe=list(ids))
        yield talk


class Talk:
    """A WebSocket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def say(self, **what: Any) -> None:
        await self.ws.send_json(what)

    async def next(self) -> Any:
        return await self.ws.receive_json(timeout=PATIENCE)

    async def rate_ids(self, number: int) -> list[int]:
        return [(await self.next())["rate"]["id"] for _ in range(number)]

    async def error(self) -> Any:
        said = await self.next()
        assert said.keys() == {"error"}, said
        return said["error"]

    async def close_code(self) -> int | None:
        """Reads to the end."""
        async with asyncio.timeout(PATIENCE):
            async for _ in self.ws:
                pass
        return self.ws.close_code


async def heard_all(rig: Rig, *talks: Talk) -> None:
    """Returns when all that these said has been obeyed."""
    for talk in talks:
        await talk.say(subscribe=[999_999])
        while "error" not in await talk.next():
            pass


@asynccontextmanager
async def deaf(rig: Rig, request: bytes) -> AsyncIterator[socket.socket]:
    """A connection that sends this and reads nothing, with small buffers of the system on its side."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (rig.client.host, rig.client.port))
        await loop.sock_sendall(connection, request)
        yield connection


STREAM_OF_ALL = b"GET /api/stream/ HTTP/1.1\r\nHost: h\r\n\r\n"
SOCKET_OF_ALL = (
    b"GET /api/ws/ HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    # A masked text frame: {"subscribe":"all"}
    b"\x81\x93\0\0\0\0" + b'{"subscribe":"all"}'
)
"""What a client sends to listen to everything."""


async def read_until(connection: socket.socket, text: bytes) -> None:
    """Reads on until this was sent."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    async with asyncio.timeout(PATIENCE):
        while text not in data:
            part = await loop.sock_recv(connection, 1 << 20)
            assert part, data[-1000:]
            data += part

"""Sending files of deals: as a client does it, and over a raw connection, byte by byte where that matters."""

import asyncio
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.api.deals.ledger import PATH, UPLOADS
from tests.api.rig import Rig

HEADER = "customer,item,total,quantity,date"
ROW = "a,ruby,10,1,2026-11-20 12:00:00"
FILE = f"{HEADER}\n{ROW}\n".encode()
OTHER_FILE = f"{HEADER}\nb,opal,5,1,2026-11-20 12:00:00\n".encode()
CSV = {"Content-Type": "text/csv"}
BOUNDARY = "boundary-of-the-test"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
OK = {"Status": "OK"}


@dataclass(frozen=True, slots=True)
class Told:
    """What a client was told."""

    status: int
    headers: Mapping[str, str]
    body: Any


async def post(
    rig: Rig, data: Any, headers: Mapping[str, str] | Iterable[tuple[str, str]] = (), *, query: str = ""
) -> Told:
    if isinstance(data, bytes):
        data = io.BytesIO(data)  # aiohttp warns of large bytes
    async with rig.client.post(PATH + query, data=data, headers=dict(headers)) as response:
        return Told(response.status, response.headers, await response.json(content_type=None))


def form(
    file: bytes = FILE, *, field: str = "deals", name: str | None = "deals.csv", kind: str = "text/csv"
) -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field(field, file, filename=name, content_type=kind)
    return made


def part(content: bytes = FILE, *headers: str) -> bytes:
    """A part of a form, with the boundary before it. Without headers: the file."""
    lines = headers or ('Content-Disposition: form-data; name="deals"; filename="deals.csv"',)
    return b"--%s\r\n%s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), "\r\n".join(lines).encode(), content)


END = f"--{BOUNDARY}--\r\n".encode()


async def current(rig: Rig) -> list[Any]:
    """Whose deals are the deals."""
    return [row["username"] for row in (await rig.get(PATH))["response"]]


async def noted(rig: Rig) -> list[Any]:
    """The uploads that were noted, newest first."""
    rows: list[Any] = (await rig.get(UPLOADS))["results"]
    return rows


async def counted(rig: Rig) -> dict[str, float]:
    """The outcomes of uploads, but for those that did not occur."""
    name = "freshrate_deals_uploads_total"
    samples = [one for family in rig.api.registry.collect() for one in family.samples if one.name == name]
    return {one.labels["outcome"]: one.value for one in samples if one.value}


class Wire:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, rig: Rig, *headers: str, path: str = PATH) -> "Wire":
        """Sends the head of an upload."""
        assert rig.client.port is not None
        wire = cls(*await asyncio.open_connection(rig.client.host, rig.client.port))
        address = f"{rig.client.host}:{rig.client.port}"
        await wire.send("\r\n".join([f"POST {path} HTTP/1.1", f"Host: {address}", *headers, "", ""]).encode())
        return wire

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def told(self) -> Told:
        """The next answer; 100 Continue is one."""
        async with asyncio.timeout(5):
            top, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines if line)
            body = await self.reader.readexactly(int(headers.get("Content-Length", 0)))
        return Told(int(top.split()[1]), headers, json.loads(body) if body else None)

    def close(self) -> None:
        self.writer.close()

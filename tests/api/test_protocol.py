"""HTTP at its edges, over raw sockets: heads that never end, heads that are too large, and methods that nobody knows."""

import asyncio
import json
from typing import Any

import pytest

from api import protocol
from tests.api.rig import Rig, observed, until


async def send(rig: Rig, *parts: bytes) -> bytes:
    """What comes back until the server closes, which it must."""
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    received = b""
    async with asyncio.timeout(2):
        while chunk := await reader.read(65536):
            received += chunk
    writer.close()
    return received


def head(answer: bytes) -> tuple[int, Any]:
    top, _, body = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body) if body else None


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /api/lastrate/1/ HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /api/lastrate/1/ HTTP/1.1\r\nHost: x\r\n"
        + b"".join(b"X-%d: 1\r\n" % n for n in range(200))
        + b"\r\n",
        b"POST /api/lastrate/1/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["9 KB header", "200 headers", "length and encoding", "9 KB path", "no HTTP"],
)
async def test_malformed_requests_are_400_problems_and_the_connection_closes(
    rig: Rig, request_head: bytes
) -> None:
    answer = await send(rig, request_head)
    status, body = head(answer)
    assert status == 400
    assert body["status"] == 400


@pytest.mark.parametrize("path", [b"/api/lastrate/1/", b"/nowhere/", b"/api/lastrate/1"])
async def test_trace_is_405_everywhere(rig: Rig, path: bytes) -> None:
    answer = await send(rig, b"TRACE " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert head(answer)[0] == 405


async def test_http_1_0_is_answered_and_closed(rig: Rig) -> None:
    await rig.store(observed())
    answer = await send(rig, b"GET /api/lastrate/1/ HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200")


async def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    await rig.store(observed(), observed(1027))
    answer = await send(
        rig,
        b"GET /api/lastrate/1/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/lastrate/77/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/lastrate/1027/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    assert (
        answer.index(b'"currency":1,') < answer.index(b"unknown-currency") < answer.index(b'"currency":1027')
    )


async def test_a_head_that_trickles_is_cut_off(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    writer.write(b"GET /api/lastr")
    async with asyncio.timeout(1):
        assert await reader.read() == b""
    writer.close()


async def test_a_connection_that_sends_nothing_at_first_is_cut_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    async with asyncio.timeout(1):
        assert await reader.read() == b""
    writer.close()


async def test_a_second_head_that_trickles_is_cut_off_but_an_idle_connection_is_kept(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b'{"alive":true}')
    await asyncio.sleep(0.3)
    assert not reader.at_eof()
    writer.write(b"GET /hea")
    async with asyncio.timeout(1):
        assert await reader.read() == b""
    writer.close()


async def test_a_request_that_takes_longer_than_the_head_deadline_is_finished(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    rig.worker.hold.clear()
    waiting = asyncio.create_task(rig.get("/api/latestrate/1/"))
    await until(lambda: rig.worker.visits)
    await asyncio.sleep(0.15)
    rig.worker.hold.set()
    assert (await waiting)["currency"] == 1

"""One GET over HTTP, against servers that behave and servers that do not."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from shared import __version__
from shared.errors import UpstreamError, UpstreamMalformed, UpstreamUnreachable
from shared.ports import UpstreamAnswer
from shared.upstream import transport as module
from shared.upstream.transport import Transport
from tests.shared.upstream.conftest import Handler, Talk
from tests.shared.upstream.doubles import PlainSource, call, text

Serve = Callable[[Handler], Awaitable[str]]
Start = Callable[[Talk], Awaitable[PlainSource]]


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport() as opened:
        yield opened


async def get(transport: Transport, source: PlainSource, *, seconds: float = 5) -> UpstreamAnswer:
    return await transport.get(source, call(text), seconds=seconds)


async def test_a_request_carries_the_sources_headers_and_the_calls_parameters(
    serve: Serve, transport: Transport
) -> None:
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(text="hello", headers={"Retry-After": "7"})

    answer = await get(transport, PlainSource(base_url=f"{await serve(handler)}/base"))
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (200, b"hello", "7")
    assert seen[0].path_qs == "/base/answer?id=1,2"
    assert seen[0].headers["X-Key"] == "very secret"
    assert seen[0].headers["User-Agent"] == f"freshrate/{__version__}"
    assert seen[0].headers["Accept-Encoding"] == "gzip, deflate"


async def test_a_redirect_is_not_followed(serve: Serve, transport: Transport) -> None:
    calls = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    answer = await get(transport, PlainSource(base_url=await serve(handler)))
    assert (answer.status, calls) == (302, 1)


async def test_cookies_are_not_kept(serve: Serve, transport: Transport) -> None:
    cookies: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        response = web.Response()
        response.set_cookie("session", "1")
        return response

    source = PlainSource(base_url=await serve(handler))
    await get(transport, source)
    await get(transport, source)
    assert cookies == [None, None]


async def test_connections_are_kept_alive(serve: Serve, transport: Transport) -> None:
    peers = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response()

    source = PlainSource(base_url=await serve(handler))
    for _ in range(5):
        await get(transport, source)
    assert len(peers) == 1


def http(body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_compressed_bodies_are_read(
    talk: Start, transport: Transport, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(compress(b"hello" * 100), f"Content-Encoding: {encoding}"))

    assert (await get(transport, await talk(speak))).body == b"hello" * 100


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        http(b"cut", length=1000),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ],
)
async def test_a_server_that_breaks_off_is_unreachable(
    talk: Start, transport: Transport, sent: bytes
) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    with pytest.raises(UpstreamUnreachable):
        await get(transport, await talk(speak))


@pytest.mark.parametrize(
    "sent",
    [
        b"220 smtp.example.test ESMTP\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        http(b"no gzip at all", "Content-Encoding: gzip"),
        http(b"", "X: " + "x" * 20_000),
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_malformed(talk: Start, transport: Transport, sent: bytes) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(5)

    with pytest.raises(UpstreamMalformed):
        await get(transport, await talk(speak))


async def test_a_server_that_says_nothing_is_given_up_in_time(talk: Start, transport: Transport) -> None:
    async def speak(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    with pytest.raises(UpstreamUnreachable, match=r"did not answer within 0\.1 s"):
        await get(transport, await talk(speak), seconds=0.1)


async def test_a_server_that_sends_a_byte_at_a_time_is_given_up_in_time(
    talk: Start, transport: Transport
) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"", length=1000))
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    began = asyncio.get_running_loop().time()
    with pytest.raises(UpstreamUnreachable):
        await get(transport, await talk(speak), seconds=0.2)
    assert asyncio.get_running_loop().time() - began < 1


async def test_a_body_that_announces_too_much_is_not_read(talk: Start, transport: Transport) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"x", length=100 * 1024**2))
        await writer.drain()
        await asyncio.sleep(5)

    with pytest.raises(UpstreamMalformed, match="more than 32 MB"):
        await get(transport, await talk(speak))


async def test_a_body_without_end_is_cut(
    talk: Start, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1024**2)

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    with pytest.raises(UpstreamMalformed, match="more than 1 MB"):
        await get(transport, await talk(speak))


async def test_a_bomb_is_cut_by_its_size_after_decompression(
    talk: Start, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 4 * 1024**2)
    bomb = gzip.compress(b"\0" * 100 * 1024**2)
    assert len(bomb) < 200_000

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(bomb, "Content-Encoding: gzip"))
        await writer.drain()
        await asyncio.sleep(5)

    with pytest.raises(UpstreamMalformed, match="more than 4 MB"):
        await get(transport, await talk(speak))


async def test_a_closed_port_is_unreachable(transport: Transport, unused_tcp_port: int) -> None:
    with pytest.raises(UpstreamUnreachable, match="could not be reached"):
        await get(transport, PlainSource(base_url=f"http://127.0.0.1:{unused_tcp_port}"))


@pytest.mark.parametrize(
    "url", ["http://no.such.host.invalid", "http://" + "a" * 300 + ".invalid", "http://\udcff"]
)
async def test_a_host_that_does_not_exist_is_unreachable(transport: Transport, url: str) -> None:
    with pytest.raises(UpstreamError):
        await get(transport, PlainSource(base_url=url))


async def test_certificates_are_verified(transport: Transport) -> None:
    """True is aiohttp's word for the system's default context: known authorities, host names checked."""
    assert transport._session is not None
    assert isinstance(transport._session.connector, aiohttp.TCPConnector)
    assert transport._session.connector._ssl is True


async def test_outside_of_its_context_it_is_a_defect() -> None:
    with pytest.raises(RuntimeError, match="outside of its context"):
        await get(Transport(), PlainSource(base_url="http://127.0.0.1:1"))

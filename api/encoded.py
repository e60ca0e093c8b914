"""A response whose bytes are ready: head and body in one write.

aiohttp's own Response builds its headers anew for each request, which costs as much as everything else that the hot path
does. This one is for HTTP/1.1 requests on connections that stay open; all others take aiohttp's way.

A large body goes out in slices, each when the client has taken what was written before: so what waits for a slow client
is small, and all clients share one body.
"""

import asyncio
from collections.abc import Awaitable

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

SLICE = 64 * 1024
"""Bytes."""
SLOW_SECONDS = 30.0
"""A client that does not take a slice within this is given up."""


def takes_encoded(request: web.BaseRequest) -> bool:
    """Whether this request may be answered so."""
    return request.version == HttpVersion11 and request.keep_alive


class EncodedResponse(web.StreamResponse):
    """The whole message, as it goes on the wire."""

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        super().__init__(status=status)
        self._head = head
        self._whole = body
        self._keep_alive = True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        body = self._whole
        if len(body) <= SLICE:
            await _write(request, self._head + body)
            return None
        view = memoryview(body)
        await _write(request, self._head + body[:SLICE])
        for start in range(SLICE, len(body), SLICE):
            await _write(request, view[start : start + SLICE])
        return None

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - the signature is aiohttp's
        """All was written by `prepare`."""
        self._eof_sent = True


async def _write(request: web.BaseRequest, data: bytes | memoryview) -> None:
    """Raises ConnectionResetError where the client is gone, or too slow."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("The client is gone.")
    transport.write(data)
    if request.protocol.writing_paused:
        await taken(request, request.writer.drain())


async def taken(request: web.BaseRequest, writing: Awaitable[None]) -> None:
    """Waits until the client has taken what is written; gives it up where it is too slow."""
    try:
        async with asyncio.timeout(SLOW_SECONDS):
            await writing
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("The client is too slow.") from None

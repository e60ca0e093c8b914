"""A response whose bytes are ready: head and body in one write.

aiohttp's own Response builds its headers anew for each request, which costs as much as everything else that the hot path
does. This one is for HTTP/1.1 requests on connections that stay open; all others take aiohttp's way.
"""

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter


def takes_encoded(request: web.BaseRequest) -> bool:
    """Whether this request may be answered so."""
    return request.version == HttpVersion11 and request.keep_alive


class EncodedResponse(web.StreamResponse):
    """The whole message, as it goes on the wire."""

    def __init__(self, status: int, message: bytes) -> None:
        super().__init__(status=status)
        self._message = message
        self._keep_alive = True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("The client is gone.")
        transport.write(self._message)
        if request.protocol.writing_paused:
            await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - the signature is aiohttp's
        """All was written by `prepare`."""
        self._eof_sent = True

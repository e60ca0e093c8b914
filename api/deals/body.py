"""The body of a request, as it comes in: in large pieces, and within its time."""

import asyncio

from aiohttp import HttpVersion11, web

from shared.errors import InvalidDeals, UploadTooSlow

CHUNK = 256 * 1024
"""Bytes that are read at once, at most."""
IDLE_SECONDS = 20.0
"""For the next byte."""
WHOLE_SECONDS = 1800.0
"""For all of them."""


class SenderLeft(Exception):
    """The client has gone, so nobody waits for an answer."""


class Body:
    """Reads a request's body once. Its time begins now."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._end = asyncio.get_running_loop().time() + WHOLE_SECONDS
        self._is_asked_for = not _waits_to_be_asked(request)

    async def read(self) -> bytes:
        """The next bytes; none at the end. Raises UploadTooSlow and SenderLeft; InvalidDeals where HTTP's own rules are broken.

        A client that sent `Expect: 100-continue` is asked for the body only here, when all that can be refused by the head
        has been.
        """
        now = asyncio.get_running_loop().time()
        limit = asyncio.timeout_at(min(now + IDLE_SECONDS, self._end))
        try:
            async with limit:
                if not self._is_asked_for:
                    self._is_asked_for = True
                    await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return await self._request.content.read(CHUNK)
        except OSError as error:  # TimeoutError is one, and so is a lost connection
            if limit.expired():
                raise UploadTooSlow(_too_slow(now + IDLE_SECONDS < self._end)) from None
            raise SenderLeft from error
        except web.RequestPayloadError as error:
            raise InvalidDeals(["The body is not well-formed HTTP."]) from error


def _waits_to_be_asked(request: web.Request) -> bool:
    return request.version >= HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue"


def _too_slow(is_idle: bool) -> str:  # noqa: FBT001 - of this module
    if is_idle:
        return f"Nothing arrived for {IDLE_SECONDS:g} seconds. Send the file again, without a pause."
    return (
        f"The upload was not whole within {WHOLE_SECONDS:g} seconds. Send the file over a faster connection."
    )

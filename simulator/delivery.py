"""How an answer goes out: as it should, or as a fault wants it.

Long waits end at once when the simulator stops, so that nothing that hangs delays its end.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import replace
from time import monotonic

from aiohttp import web

from simulator.asking import Answer
from simulator.faults import Fault, Kind
from simulator.journal import Call

_CHUNK = 1 << 16
_HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking.</body></html>"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_PRECISE = 0.05
"""Seconds; shorter waits are kept to the millisecond, longer ones may end early."""


class Delivery:
    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def wait_until(self, deadline: float) -> None:
        """Until that time of `time.monotonic`. The loop counts in milliseconds and may be one early: then it waits
        for the rest."""
        while (left := deadline - monotonic()) > 0:
            if left <= _PRECISE:
                await asyncio.sleep(left)
            elif await self._is_stopped_within(left - _PRECISE):
                return

    async def send(
        self, request: web.Request, answer: Answer, fault: Fault | None, call: Call
    ) -> web.StreamResponse:
        """Notes the status in the journal, where one goes out."""
        if fault is not None:
            answer = _replaced(answer, fault)
            is_silent = fault.kind is Kind.RESET or (
                fault.kind is Kind.HANG and fault.text("stage") == "headers"
            )
            if is_silent:
                return await self._silence(request, fault)
        call.status = answer.status
        if fault is None:
            return _response(answer)
        if fault.kind is Kind.HANG:
            return await self._hang(request, answer)
        if fault.kind is Kind.SLOW:
            return await self._drip(request, answer, 1 / max(fault.number("bytes_per_second"), 0.001))
        if fault.kind is Kind.HUGE:
            return await self._flood(request, int(fault.number("bytes")))
        if fault.kind is Kind.CUT and fault.text("length") == "wrong":
            response = await _begun(request, answer)
            await response.write(answer.body[: len(answer.body) // 2])
            return response
        return _response(answer)

    async def _silence(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind is Kind.HANG:
            await self._stopping.wait()
        return _reset(request)

    async def _hang(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        response = await _begun(request, answer)
        await response.write(answer.body[: len(answer.body) // 2])
        await self._stopping.wait()
        return response

    async def _drip(self, request: web.Request, answer: Answer, seconds: float) -> web.StreamResponse:
        response = await _begun(request, answer)
        with suppress(ConnectionError):
            for position in range(len(answer.body)):
                await response.write(answer.body[position : position + 1])
                if await self._is_stopped_within(seconds):
                    break
        return response

    async def _flood(self, request: web.Request, size: int) -> web.StreamResponse:
        response = await _begun(request, Answer(200, b""), is_endless=True)
        with suppress(ConnectionError):
            await response.write(b'{"data":[')
            while size > 0 and not self._stopping.is_set():
                await response.write(b" " * min(size, _CHUNK))
                size -= _CHUNK
        return response

    async def _is_stopped_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        return self._stopping.is_set()


def _replaced(answer: Answer, fault: Fault) -> Answer:
    """Another answer, complete in itself."""
    if fault.kind is Kind.MALFORMED:
        return Answer(200, _HTML, content_type="text/html; charset=utf-8")
    if fault.kind is Kind.REDIRECT:
        return Answer(302, b"", headers={"Location": fault.text("location")})
    if fault.kind is Kind.DEEP:
        levels = int(fault.number("levels"))
        return Answer(200, b'{"data":' + b"[" * levels + b"]" * levels + b"}")
    if fault.kind is Kind.CUT and fault.text("length") == "right":
        return replace(answer, body=answer.body[: len(answer.body) // 2])
    return answer


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=answer.body,
        headers={"Content-Type": answer.content_type, **answer.headers},
    )


async def _begun(request: web.Request, answer: Answer, *, is_endless: bool = False) -> web.StreamResponse:
    """An answer whose headers are out, on a connection that will not be used again."""
    response = web.StreamResponse(
        status=answer.status, headers={"Content-Type": answer.content_type, **answer.headers}
    )
    response.content_length = None if is_endless else len(answer.body)
    response.force_close()
    await response.prepare(request)
    return response


def _reset(request: web.Request) -> web.StreamResponse:
    """Closes the connection by a TCP reset, without an answer."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        request.transport.abort()
    return web.Response(status=500)

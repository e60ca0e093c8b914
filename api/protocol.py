"""aiohttp's HTTP protocol with what it lacks: a deadline for a request's head, and problems for malformed requests.

aiohttp closes an idle connection after the keep-alive time, but one that sends a byte now and then would hold its
socket as long as it likes. Here a head that has begun must be whole within HEAD_SECONDS.
"""

import asyncio
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from api.errors import defect_answer, status_problem

log = structlog.get_logger(__name__)

HEAD_SECONDS = 10.0


class HeadDeadlineProtocol(web.RequestHandler):
    """One connection."""

    __slots__ = ("_head_timer",)

    def __init__(self, manager: web.Server, **options: Any) -> None:  # noqa: ANN401 - aiohttp's own options
        super().__init__(manager, **options)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        heads = self._request_count
        super().data_received(data)
        if self._request_count != heads:
            self._stop_timer()
        elif self._head_timer is None and self._is_between_requests():
            self._await_head()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - see below
    ) -> web.StreamResponse:
        """The last resort: what the parser refuses (its message quotes the request, so it is not logged), and what
        escaped the application."""
        if isinstance(exc, HttpProcessingError) or status < 500:  # noqa: PLR2004 - below are the client's errors
            log.info("malformed request", remote=request.remote, error=type(exc).__name__)
            response = status_problem(status, "The request is not well-formed HTTP within our limits.")
        else:
            log.error("request broke", exc_info=exc)
            response = defect_answer()
        response.force_close()
        return response

    def _is_between_requests(self) -> bool:
        return self._current_request is None and not self._messages and self._payload_parser is None

    def _await_head(self) -> None:
        self._head_timer = self._loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._is_between_requests():
            self.force_close()


class HeadDeadlineServer(web.Server):
    """Makes the connections."""

    def __call__(self) -> web.RequestHandler:
        return HeadDeadlineProtocol(self, loop=self._loop, **self._kwargs)


def with_head_deadline(server: web.Server, handler: Any) -> HeadDeadlineServer:  # noqa: ANN401 - aiohttp's private handler type
    """The same server with another handler and with deadlines."""
    return HeadDeadlineServer(
        handler,
        request_factory=server.request_factory,
        handler_cancellation=server.handler_cancellation,
        **server._kwargs,  # noqa: SLF001 - aiohttp keeps the runner's options there only
    )

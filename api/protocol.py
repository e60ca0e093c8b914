"""aiohttp's HTTP protocol with what it lacks: a deadline for a request's head, problems for malformed requests, and a way to
leave without dropping requests.

aiohttp closes an idle connection after the keep-alive time, but one that sends a byte now and then would hold its
socket as long as it likes. Here a head that has begun must be whole within HEAD_SECONDS.

At a stop aiohttp closes the connections that are between requests, at once: what a client sends in that moment is lost. Here
a server that leaves first tells whoever still asks, by `Connection: close`, that this answer is the connection's last.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import _ErrInfo

from api.errors import defect_answer, status_problem

log = structlog.get_logger(__name__)

HEAD_SECONDS = 10.0
RequestFactory: TypeAlias = Callable[..., web.BaseRequest]
"""Makes a request of its head (RawRequestMessage) and what else aiohttp gives."""


class Listener(Protocol):
    """What must know at once how its connection fares."""

    def resumed(self) -> None:
        """What was written has been taken so far that more may be."""

    def lost(self) -> None:
        """The connection is gone."""


class HeadDeadlineProtocol(web.RequestHandler):
    """One connection."""

    __slots__ = ("_head_timer", "listener")

    def __init__(self, manager: web.Server, **options: Any) -> None:  # noqa: ANN401 - aiohttp's own options
        super().__init__(manager, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self.listener: Listener | None = None
        """A live stream on this connection: no request follows it, and it is written to without aiohttp."""

    def leave(self) -> None:
        """Makes the answer to what is in hand, or to the next request, the last of this connection."""
        if self._request_factory is None:  # the client has gone
            return
        self._request_factory = _last_of_its_connection(self._request_factory)
        request = self._current_request
        if request is not None and not self._messages:
            request._message = _closing(request._message)  # noqa: SLF001 - aiohttp reads there alone whether to close

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)
        if self.listener is not None:
            self.listener.lost()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.listener is not None:
            self.listener.resumed()

    def data_received(self, data: bytes) -> None:
        heads = self._request_count
        super().data_received(data)
        if self._messages and isinstance(self._messages[-1][0], _ErrInfo):
            self._fail_body_in_hand()
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

    def _fail_body_in_hand(self) -> None:
        """Where its chunks cannot be read any more, aiohttp says so only after the request, which waits for them."""
        request = self._current_request
        if request is not None and not request.content.is_eof():
            request._message = _closing(request._message)  # noqa: SLF001 - as in `leave`
            request.content.set_exception(web.RequestPayloadError("its framing is broken"))
            request.content.feed_eof()

    def _is_between_requests(self) -> bool:
        return (
            self._current_request is None
            and not self._messages
            and self._payload_parser is None
            and self.listener is None
        )

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

    def leave(self) -> None:
        """Makes the next answer on each connection its last."""
        for connection in self._connections:
            if isinstance(connection, HeadDeadlineProtocol):
                connection.leave()
        self.request_factory = _last_of_its_connection(self.request_factory)


def _last_of_its_connection(factory: RequestFactory) -> RequestFactory:
    """As if the client had asked for the connection to be closed after the answer, which HTTP has a header for."""

    def make(message: Any, payload: Any, connection: HeadDeadlineProtocol, *rest: Any) -> web.BaseRequest:  # noqa: ANN401 - aiohttp's own
        # What was sent behind it and has arrived is answered too.
        is_last = not connection._messages  # noqa: SLF001 - aiohttp has them there alone
        return factory(_closing(message) if is_last else message, payload, connection, *rest)

    return make


def _closing(message: Any) -> Any:  # noqa: ANN401 - aiohttp's RawRequestMessage, in C or in Python
    return message._replace(should_close=True)


def with_head_deadline(server: web.Server, handler: Any) -> HeadDeadlineServer:  # noqa: ANN401 - aiohttp's private handler type
    """The same server with another handler and with deadlines."""
    return HeadDeadlineServer(
        handler,
        request_factory=server.request_factory,
        handler_cancellation=server.handler_cancellation,
        **server._kwargs,  # noqa: SLF001 - aiohttp keeps the runner's options there only
    )

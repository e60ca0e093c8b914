"""What every request passes: a request id, the rules that hold everywhere, errors as problems, the log, the metrics.

The hot path has the same, without a middleware's price, in `api.lane`.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from time import perf_counter
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from api import request_ids
from api.context import CONTEXT
from api.errors import defect_answer, http_problem, problem_answer
from api.request_log import RequestRecord
from shared import tracing
from shared.errors import ForeignOrigin, FreshrateError

log = structlog.get_logger(__name__)

REQUEST_ID = web.RequestKey("request_id", str)
PROBLEM = web.RequestKey("problem", FreshrateError)
"""Set by handlers that answer an expected failure themselves, so that the log says why."""
LIVES_ON = web.RequestKey("lives_on", bool)
"""Set by handlers whose answer goes on after its head: the time to the head is measured, and its end is logged by `log_end`."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
TRACED = ("/api/", "/services/")
CLIENT_GONE = 499
"""Logged for a client that left before its answer; nobody receives it."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    began = perf_counter()
    request_id = request[REQUEST_ID] = request_ids.request_id_of(request)
    structlog.contextvars.bind_contextvars(request_id=request_id)
    status = CLIENT_GONE
    try:
        response = await _traced(request, handler, request_id)
        status = response.status
        if not response.prepared:
            response.headers[request_ids.HEADER] = request_id
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
            if not request.content.is_eof():
                # What is left of the body could be anything, also nothing: RFC 9110, 10.1.1 wants this said.
                response.force_close()
        return response
    finally:
        _record(request, request_id, status, perf_counter() - began)


async def _traced(request: web.Request, handler: Handler, request_id: str) -> web.StreamResponse:
    """A span around what a client asked; health checks and scrapes would only hide those."""
    if not tracing.is_on() or not request.path.startswith(TRACED):
        return await _answer(request, handler)
    route = _route_of(request)
    with tracing.span(
        f"{request.method} {route}",
        kind=tracing.Kind.SERVER,
        parents=[request.headers.get("traceparent", "")],
        attributes={
            "http.request.method": request.method,
            "http.route": route,
            "freshrate.request_id": request_id,
        },
    ) as span:
        response = await _answer(request, handler)
        span.note({"http.response.status_code": response.status})
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.fail(_why(request.get(PROBLEM), response.status) or "")
        return response


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "none"


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        check_method(request)
        return await handler(request)
    except FreshrateError as error:
        request[PROBLEM] = error
        return problem_answer(error)
    except web.HTTPException as error:
        return http_problem(error)
    except Exception:  # a defect: the client learns that it is one, the log learns which
        log.exception("request broke", method=request.method, path=request.path)
        return defect_answer()


def check_method(request: web.Request) -> None:
    """Refuses methods that nothing here knows, and changes that a page of another origin asks for."""
    if request.method not in METHODS:
        known = request.match_info.http_exception
        if isinstance(known, web.HTTPMethodNotAllowed):
            raise known
        raise web.HTTPMethodNotAllowed(request.method, METHODS)
    if request.method in CHANGING and is_foreign(request):
        raise ForeignOrigin


def is_foreign(request: web.BaseRequest) -> bool:
    """Whether a page of another origin sent this. Programs send no Origin."""
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != request.host.lower()
    except ValueError:
        return True


def _record(request: web.Request, request_id: str, status: int, seconds: float) -> None:
    api = request.app[CONTEXT]
    api.request_metrics.count(_route_of(request), status, seconds)
    if not request.get(LIVES_ON, False):
        error = request.get(PROBLEM)
        _log(request, request_id, status, seconds, _why(error, status))


def log_end(request: web.Request, status: int, seconds: float, why: str) -> None:
    """The line of an answer that went on; `why` it ended."""
    _log(request, request[REQUEST_ID], status, seconds, why)


def _log(request: web.Request, request_id: str, status: int, seconds: float, error: str | None) -> None:
    api = request.app[CONTEXT]
    api.request_log.add(
        RequestRecord(
            ended_at=api.clock().timestamp(),
            method=request.method,
            path=request.raw_path.partition("?")[0],
            status=status,
            seconds=seconds,
            request_id=request_id,
            error=error,
        )
    )


def _why(error: FreshrateError | None, status: int) -> str | None:
    if error is None or status == HTTPStatus.NOT_FOUND:
        return None
    return f"{type(error).__name__}: {error}"

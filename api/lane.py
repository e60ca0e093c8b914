"""The path ahead of aiohttp's router, for answers that lie ready in memory.

A ready answer is served if the request names it by its exact path, without a query, by GET. Everything else goes on to
the application. What `api.gate` does for every request is done here too: request id, log, metrics.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from time import perf_counter

from aiohttp import web

from api import request_ids
from api.answers import RateAnswer, conditional, is_conditional
from api.encoded import EncodedResponse, takes_encoded
from api.metrics import RequestMetrics
from api.request_log import RequestLog, RequestRecord
from shared.domain.times import Clock

Ready = Callable[[str, float], RateAnswer | None]
"""The answer for a path at a time (seconds since 1970), or None."""


class FastLane:
    """A request handler in front of the application's own."""

    def __init__(
        self,
        *,
        route: str,
        ready: Ready,
        application: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        clock: Clock,
        metrics: RequestMetrics,
        log: RequestLog,
    ) -> None:
        self._route = route
        self._ready = ready
        self._application = application
        self._clock = clock
        self._metrics = metrics
        self._log = log

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "GET" or "Expect" in request.headers:
            return await self._application(request)
        began = perf_counter()
        path = request.raw_path
        now = self._clock().timestamp()
        answer = self._ready(path, now)
        if answer is None:
            return await self._application(request)
        request_id = request_ids.request_id_of(request)
        response = _respond(request, answer, now, request_id)
        seconds = perf_counter() - began
        self._metrics.count(self._route, response.status, seconds)
        self._log.add(RequestRecord(now, "GET", path, response.status, seconds, request_id))
        return response


def _respond(request: web.BaseRequest, answer: RateAnswer, now: float, request_id: str) -> web.StreamResponse:
    if takes_encoded(request) and not is_conditional(request):
        return EncodedResponse(HTTPStatus.OK, answer.message(int(now), request_id))
    response = conditional(request, answer, now)
    response.headers[request_ids.HEADER] = request_id
    return response

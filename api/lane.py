"""The path ahead of aiohttp's router, for answers that lie ready in memory.

A ready answer is served if the request names it by its exact path, query included, by GET. Everything else goes on to
the application. What `api.gate` does for every request is done here too: request id, log, metrics.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from aiohttp import web

from api import request_ids
from api.answers import Answer, ready_response
from api.metrics import RequestMetrics
from api.request_log import RequestLog, RequestRecord
from shared.domain.times import Clock

Ready = Callable[[str, float], Answer | None]
"""The answer for a raw path at a time (seconds since 1970), or None."""


@dataclass(frozen=True, slots=True)
class Express:
    """A route that has ready answers."""

    route: str
    ready: Ready


class FastLane:
    """A request handler in front of the application's own."""

    def __init__(
        self,
        *,
        expresses: Sequence[Express],
        application: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        clock: Clock,
        metrics: RequestMetrics,
        log: RequestLog,
    ) -> None:
        self._expresses = tuple((one.route, one.ready) for one in expresses)
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
        found = self._find(path, now)
        if found is None:
            return await self._application(request)
        route, answer = found
        request_id = request_ids.request_id_of(request)
        response = ready_response(request, answer, now, request_id)
        seconds = perf_counter() - began
        self._metrics.count(route, response.status, seconds)
        path = path.partition("?")[0]
        self._log.add(RequestRecord(now, "GET", path, response.status, seconds, request_id))
        return response

    def _find(self, raw_path: str, now: float) -> tuple[str, Answer] | None:
        for route, ready in self._expresses:
            answer = ready(raw_path, now)
            if answer is not None:
                return route, answer
        return None

"""The last rate, from memory."""

from collections.abc import Callable
from datetime import timedelta

from aiohttp import web

from api.answers import RateAnswer, conditional
from api.context import CONTEXT
from api.examples import RATE
from api.freshness import ERRORS, refreshed
from api.memory import RateMemory
from api.queries import LastRateQuery, LastRateQuerySchema
from api.routes.route import Route, current_id
from api.schemas import RateSchema, RefreshProblemSchema
from shared.errors import NoRateYet

PREFIX = "/api/lastrate/"
PATH = PREFIX + "{currency_id}/"


def ready_in(memory: RateMemory) -> Callable[[str, float], RateAnswer | None]:
    """For the fast lane: the answer to a path, where it lies ready in memory."""
    start = len(PREFIX)

    def ready(path: str, now: float) -> RateAnswer | None:
        if path.startswith(PREFIX) and path.endswith("/"):
            return memory.ready(path[start:-1], now)
        return None

    return ready


async def show_last_rate(request: web.Request, query: LastRateQuery) -> web.Response:
    api = request.app[CONTEXT]
    currency_id = await current_id(request, api)
    if query.max_age is not None:
        return await refreshed(request, api, currency_id, timedelta(seconds=query.max_age))
    await api.catalog.known(currency_id)
    api.memory.note_asked([currency_id], api.clock().timestamp())
    answer = await api.memory.last(currency_id)
    if answer is None:
        raise NoRateYet(
            f"No rate of this currency is stored yet. GET /api/latestrate/{currency_id}/ fetches one."
        )
    return conditional(request, answer, api.clock().timestamp())


ROUTES = (
    Route(
        path=PATH,
        handler=show_last_rate,
        summary="The last rate of a currency",
        description=(
            "Of the first preferred source that has one not stale, else the newest. With `max_age`, not older "
            "(by `fetched_at`) than that when the request arrives: refreshed first where it is."
        ),
        tag="Rates",
        query=LastRateQuerySchema,
        answers=RateSchema,
        example=RATE,
        errors=(*ERRORS, NoRateYet),
        problem=RefreshProblemSchema,
        redirects=(304, 308),
    ),
)

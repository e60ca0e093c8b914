"""The fresh rate, fetched for this request."""

from datetime import timedelta

from aiohttp import web

from api.context import CONTEXT
from api.examples import RATE
from api.freshness import ERRORS, refreshed
from api.queries import NoQuery
from api.routes.route import Route, current_id
from api.schemas import RateSchema, RefreshProblemSchema


async def show_latest_rate(request: web.Request, _query: NoQuery) -> web.Response:
    api = request.app[CONTEXT]
    return await refreshed(request, api, await current_id(request, api), timedelta(0))


ROUTES = (
    Route(
        path="/api/latestrate/{currency_id}/",
        handler=show_latest_rate,
        summary="The fresh rate of a currency",
        description=(
            "A worker visits the source now; the answer comes when the rate is stored. Concurrent requests for one "
            "currency share one visit. 502: visited and failed. 503: nothing was tried. 504: the time was up."
        ),
        tag="Rates",
        answers=RateSchema,
        example=RATE,
        errors=ERRORS,
        problem=RefreshProblemSchema,
        redirects=(308,),
        has_head=False,
    ),
)

"""The market at a glance, from memory alone."""

from aiohttp import web

from api.answers import json_answer
from api.context import CONTEXT
from api.market.query import MarketQuery, MarketQuerySchema
from api.market.schemas import MARKET, MarketSchema
from api.routes.route import Route
from shared.errors import InvalidInput


async def show_market(request: web.Request, query: MarketQuery) -> web.Response:
    api = request.app[CONTEXT]
    return json_answer(api.market.encoded(query.limit, api.clock()), {"Cache-Control": "no-store"})


ROUTES = (
    Route(
        path="/api/market/",
        handler=show_market,
        summary="The newest known ranking with the last rates",
        description=(
            "What the process knows, at once: it asks no source and renews nothing, unlike the top list. Whoever needs the "
            "list not older than CACHE_TTL_SECONDS asks for that one."
        ),
        tag="Dashboard",
        query=MarketQuerySchema,
        answers=MarketSchema,
        example=MARKET,
        errors=(InvalidInput,),
    ),
)

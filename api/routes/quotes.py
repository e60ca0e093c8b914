"""Prices of currencies in other currencies, from memory where they lie there."""

from aiohttp import web

from api.answers import conditional, fresh
from api.context import CONTEXT
from api.examples import QUOTES
from api.freshness import ERRORS, asking_of
from api.quotes.query import QuotesQuery, QuotesQuerySchema
from api.quotes.schemas import QuotesSchema
from api.routes.route import Route
from api.settled import settled
from shared.errors import CatalogNotLoaded, NoRateYet

PATH = "/api/quotes/"


async def show_quotes(request: web.Request, query: QuotesQuery) -> web.Response:
    api = request.app[CONTEXT]
    if query.moment is not None:
        await settled(query.moment, api.clock)
        answer = await api.quotes.past(query, query.moment)
        return conditional(request, answer, api.clock().timestamp())
    asking = asking_of(request, api)
    answer = await api.quotes.now(query, asking)
    if asking.has_spent or query.max_age is not None:
        return fresh(answer, answer.second)
    api.quotes.learn(request.raw_path, query)
    return conditional(request, answer, answer.second)


_DESCRIPTION = (
    "The USD rate of each currency comes from memory (CACHE_TTL_SECONDS), else from the database, else from its source "
    "through a worker; Cache-Status says how far it had to go. Prices in other currencies are computed through USD at each "
    "request, and each shows the rates that it is made of. One of `symbol` and `id` is needed. With `datetime`: as it was "
    "known then."
)

ROUTES = (
    Route(
        path=PATH,
        handler=show_quotes,
        summary="Currencies with their prices in other currencies",
        description=_DESCRIPTION,
        tag="Quotes",
        query=QuotesQuerySchema,
        answers=QuotesSchema,
        example=QUOTES,
        errors=(*ERRORS, NoRateYet, CatalogNotLoaded),
        redirects=(304,),
        has_head=False,
    ),
)

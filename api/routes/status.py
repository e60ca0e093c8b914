"""How the service is, for people who look at it. For machines there are the health checks."""

from aiohttp import web

from api.answers import json_answer
from api.context import CONTEXT
from api.market.schemas import STATUS, StatusSchema
from api.queries import NoQuery
from api.routes.route import Route
from shared.errors import InvalidInput


async def show_status(request: web.Request, _query: NoQuery) -> web.Response:
    body = await request.app[CONTEXT].status.encoded()
    return json_answer(body, {"Cache-Control": "no-store"})


ROUTES = (
    Route(
        path="/api/status/",
        handler=show_status,
        summary="How the service is",
        description="Always 200; the answer says what is wrong. Made at most once a second, however many ask.",
        tag="Dashboard",
        answers=StatusSchema,
        example=STATUS,
        errors=(InvalidInput,),
    ),
)

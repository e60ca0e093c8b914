"""What needs a key: a visit that this process makes itself."""

from aiohttp import web

from api.answers import json_answer
from api.context import CONTEXT
from api.examples import CURRENCY_DETAIL
from api.freshness import ERRORS, FAILURES, refresh_problem, spend_refresh
from api.keys import KeyNeed
from api.queries import NoQuery
from api.routes.currencies import detail_answer, known_detail
from api.routes.route import Route, id_in_path
from api.schemas import CurrencyDetailSchema, RefreshProblemSchema
from shared.errors import KeyRequired, UnknownCurrency


async def request_currency(request: web.Request, _query: NoQuery) -> web.Response:
    api = request.app[CONTEXT]
    currency_id = id_in_path(request, "currency_id", UnknownCurrency)
    await api.catalog.refreshable(currency_id)
    spend_refresh(request, api)
    try:
        await api.direct.visit(currency_id)
    except FAILURES as error:
        return refresh_problem(request, api, currency_id, error)
    detail = await known_detail(api, currency_id)
    body, age = await detail_answer(api, detail)
    return json_answer(body, {**age, "Cache-Control": "no-store"})


ROUTES = (
    Route(
        path="/services/requestcurrency/{currency_id}/",
        handler=request_currency,
        summary="Visit the source directly, and show the currency",
        description="Without queue and worker: this process visits the source itself and stores what it says.",
        tag="Services",
        answers=CurrencyDetailSchema,
        example=CURRENCY_DETAIL,
        errors=(*ERRORS, KeyRequired),
        problem=RefreshProblemSchema,
        needs_key=KeyNeed.ALWAYS,
        has_head=False,
    ),
)

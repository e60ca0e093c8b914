"""History: all rates, those of one currency, and one by its row id."""

from aiohttp import web

from api.answers import conditional
from api.context import CONTEXT
from api.encoding import Json, rate_json
from api.examples import RATE, page
from api.pages import page_answer
from api.queries import NoQuery, RatesQuery, RatesQuerySchema
from api.routes.route import Route, id_in_path
from api.schemas import RateSchema, RatesPageSchema
from shared.domain.rate import Rate
from shared.domain.times import micros
from shared.errors import InvalidInput, StorageUnavailable, UnknownCurrency, UnknownRate


async def list_rates(request: web.Request, query: RatesQuery) -> web.Response:
    return await _page(request, query, None)


async def list_currency_rates(request: web.Request, query: RatesQuery) -> web.Response:
    currency_id = id_in_path(request, "currency_id", UnknownCurrency)
    await request.app[CONTEXT].catalog.known(currency_id)
    return await _page(request, query, currency_id)


async def show_rate(request: web.Request, _query: NoQuery) -> web.Response:
    api = request.app[CONTEXT]
    rate = await api.storage.rate(id_in_path(request, "rate_id", UnknownRate))
    if rate is None:
        raise UnknownRate
    return conditional(request, api.memory.encode(rate), api.clock().timestamp())


async def _page(request: web.Request, query: RatesQuery, currency_id: int | None) -> web.Response:
    api = request.app[CONTEXT]
    page = await api.storage.rates_page(
        currency_id=currency_id,
        source=query.source,
        since=query.since,
        until=query.until,
        cursor=query.cursor,
        limit=query.limit,
    )
    now = api.clock().timestamp()

    def encode(rate: Rate) -> Json:
        return rate_json(rate, is_stale=api.memory.is_stale(rate, now))

    return page_answer(request, page, key=_key, encode=encode)


def _key(rate: Rate) -> tuple[int, int]:
    return (micros(rate.observed_at), rate.id)


ROUTES = (
    Route(
        path="/api/ratescurrency/",
        handler=list_rates,
        summary="All rates, newest first",
        tag="Rates",
        query=RatesQuerySchema,
        answers=RatesPageSchema,
        example=page(RATE),
        errors=(InvalidInput, StorageUnavailable),
    ),
    Route(
        path="/api/ratescurrency/{currency_id}/",
        handler=list_currency_rates,
        summary="The rates of one currency, newest first",
        tag="Rates",
        query=RatesQuerySchema,
        answers=RatesPageSchema,
        example=page(RATE),
        errors=(InvalidInput, UnknownCurrency, StorageUnavailable),
    ),
    Route(
        path="/api/ratecurrency/{rate_id}/",
        handler=show_rate,
        summary="One rate by its row id",
        tag="Rates",
        answers=RateSchema,
        example=RATE,
        errors=(InvalidInput, UnknownRate, StorageUnavailable),
        redirects=(304,),
    ),
)

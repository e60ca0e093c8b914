"""The currencies of the catalog."""

from collections.abc import Mapping

import orjson
from aiohttp import web

from api.answers import is_unchanged, json_answer
from api.context import CONTEXT, ApiContext
from api.encoding import currency_json, detail_json
from api.etags import etag_of
from api.examples import CURRENCY, CURRENCY_DETAIL, page
from api.pages import page_answer
from api.queries import CurrenciesQuery, CurrenciesQuerySchema, NoQuery
from api.routes.route import Route, id_in_path
from api.schemas import CurrenciesPageSchema, CurrencyDetailSchema
from shared.domain.currency import Currency, CurrencyDetail
from shared.errors import InvalidInput, StorageUnavailable, UnknownCurrency

UNRANKED = 2**31 - 1
"""The place of currencies without rank in the store's order."""


async def list_currencies(request: web.Request, query: CurrenciesQuery) -> web.Response:
    page = await request.app[CONTEXT].storage.currencies_page(
        symbol=query.symbol, text=query.text, cursor=query.cursor, limit=query.limit
    )
    return page_answer(request, page, key=_key, encode=currency_json)


async def show_currency(request: web.Request, _query: NoQuery) -> web.StreamResponse:
    api = request.app[CONTEXT]
    currency_id = id_in_path(request, "currency_id", UnknownCurrency)
    detail = await known_detail(api, currency_id)
    if detail.merged_into is not None:
        raise web.HTTPPermanentRedirect(f"/api/currencies/{detail.merged_into}/")
    body, age = await detail_answer(api, detail)
    headers = {**age, "ETag": etag_of(body), "Cache-Control": "no-cache"}
    if is_unchanged(request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    return json_answer(body, headers)


async def known_detail(api: ApiContext, currency_id: int) -> CurrencyDetail:
    """Raises UnknownCurrency, without a query where the catalog rules the id out."""
    await api.catalog.known(currency_id)
    detail = await api.storage.currency(currency_id)
    if detail is None:
        raise UnknownCurrency
    return detail


async def detail_answer(api: ApiContext, detail: CurrencyDetail) -> tuple[bytes, Mapping[str, str]]:
    """The body, and the headers that say how old its last rate is."""
    last = await api.memory.last(detail.currency.id)
    if last is None:
        return orjson.dumps(detail_json(detail, None)), {}
    return orjson.dumps(detail_json(detail, orjson.Fragment(last.body))), last.age(
        int(api.clock().timestamp())
    )


def _key(currency: Currency) -> tuple[int, int]:
    return (UNRANKED if currency.rank is None else currency.rank, currency.id)


ROUTES = (
    Route(
        path="/api/currencies/",
        handler=list_currencies,
        summary="The currencies, by rank, then id",
        tag="Currencies",
        query=CurrenciesQuerySchema,
        answers=CurrenciesPageSchema,
        example=page(CURRENCY),
        errors=(InvalidInput, StorageUnavailable),
    ),
    Route(
        path="/api/currencies/{currency_id}/",
        handler=show_currency,
        summary="One currency in detail",
        tag="Currencies",
        answers=CurrencyDetailSchema,
        example=CURRENCY_DETAIL,
        errors=(InvalidInput, UnknownCurrency, StorageUnavailable),
        redirects=(304, 308),
    ),
)

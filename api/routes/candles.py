"""What prices did in intervals of one length."""

from aiohttp import hdrs, web

from api.answers import conditional, ready_response
from api.candles.formats import candles_answer
from api.candles.page import candles_page, key_of
from api.candles.query import CandlesQuery, CandlesQuerySchema
from api.candles.schemas import CANDLES, CANDLES_CSV, CandlesPageSchema
from api.context import CONTEXT
from api.gate import REQUEST_ID
from api.pages import links_of
from api.routes.route import Route, current_id
from shared.errors import InvalidInput, StorageUnavailable, UnknownCurrency


async def list_candles(request: web.Request, query: CandlesQuery) -> web.StreamResponse:
    api = request.app[CONTEXT]
    currency_id = await current_id(request, api)
    await api.catalog.known(currency_id)
    now = api.clock()
    page = await candles_page(api.storage, currency_id, query, now)
    answer = await candles_answer(
        page.rows,
        links_of(request, page, key=key_of),
        form=query.format,
        file_name=f"freshrate-candles-{currency_id}-{query.interval}.csv",
    )
    if request.method == hdrs.METH_HEAD:
        return conditional(request, answer, now.timestamp())
    return ready_response(request, answer, now.timestamp(), request[REQUEST_ID])


_DESCRIPTION = (
    "Made of all rates that were observed in an interval (by `actual_date`, in UTC), of all sources or of the one that is named; "
    "`sources` says of which. From the candle of the first rate to that of now; where no rate was observed, `count` is 0 and the "
    "prices are null: nothing is made up. The candle of now is not over yet."
)

ROUTES = (
    Route(
        path="/api/candles/{currency_id}/",
        handler=list_candles,
        summary="The candles of one currency, newest first",
        description=_DESCRIPTION,
        tag="Candles",
        query=CandlesQuerySchema,
        answers=CandlesPageSchema,
        example=CANDLES,
        text_examples={"text/csv": CANDLES_CSV},
        errors=(InvalidInput, UnknownCurrency, StorageUnavailable),
        redirects=(304, 308),
    ),
)

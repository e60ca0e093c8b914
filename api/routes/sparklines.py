"""What prices did in the last day, for small drawings."""

from aiohttp import hdrs, web

from api.answers import JSON, Answer, conditional, ready_response
from api.candles.query import SparklinesQuery, SparklinesQuerySchema
from api.candles.schemas import SPARKLINES, SparklinesSchema
from api.context import CONTEXT
from api.etags import etag_of
from api.gate import REQUEST_ID
from api.routes.route import Route
from shared.errors import InvalidInput, StorageUnavailable


async def list_sparklines(request: web.Request, query: SparklinesQuery) -> web.StreamResponse:
    api = request.app[CONTEXT]
    body = await api.sparklines.encoded(query.currency_ids)
    answer = Answer(
        body=body,
        etag=etag_of(body),
        last_modified=None,
        fetched_second=None,
        modified_second=None,
        is_stale=False,
        content_type=JSON,
    )
    now = api.clock().timestamp()
    if request.method == hdrs.METH_HEAD:
        return conditional(request, answer, now)
    return ready_response(request, answer, now, request[REQUEST_ID])


_DESCRIPTION = (
    "How each of the last 96 intervals of 15 minutes closed, as numbers of 7 significant digits; exact prices stand in the candles. "
    "Not older than a minute. Currencies that there are not are left out."
)

ROUTES = (
    Route(
        path="/api/sparklines/",
        handler=list_sparklines,
        summary="The closes of the last day, for drawing",
        description=_DESCRIPTION,
        tag="Candles",
        query=SparklinesQuerySchema,
        answers=SparklinesSchema,
        example=SPARKLINES,
        errors=(InvalidInput, StorageUnavailable),
        redirects=(304,),
    ),
)

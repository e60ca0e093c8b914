"""Those who spent most, and the history of uploads."""

from aiohttp import web

from api.answers import fresh, ready_response
from api.context import CONTEXT
from api.deals.encoding import upload_json
from api.deals.query import DealsQuery, DealsQuerySchema
from api.deals.schemas import DealsSchema, DealsUploadsPageSchema
from api.examples import DEALS, DEALS_UPLOAD, page
from api.freshness import FAILURES, asking_of
from api.gate import REQUEST_ID
from api.pages import page_answer
from api.queries import DealsUploadsQuery, DealsUploadsQuerySchema
from api.routes.route import Route
from shared.domain.deals import DealsUpload
from shared.errors import CatalogNotLoaded, InvalidInput, StorageUnavailable, TooManyRequests

PATH = "/api/deals/"


async def show_deals(request: web.Request, query: DealsQuery) -> web.StreamResponse:
    api = request.app[CONTEXT]
    now = api.clock().timestamp()
    if query.convert is None:
        return ready_response(request, await api.deals.top(query.top), now, request[REQUEST_ID])
    asking = asking_of(request, api)
    answer = await api.deals.converted(query.top, query.convert, asking)
    if asking.has_spent:
        return fresh(answer, now)
    return ready_response(request, answer, now, request[REQUEST_ID])


async def list_uploads(request: web.Request, query: DealsUploadsQuery) -> web.Response:
    uploads = await request.app[CONTEXT].storage.uploads_page(cursor=query.cursor, limit=query.limit)
    return page_answer(request, uploads, key=_key, encode=upload_json)


def _key(upload: DealsUpload) -> tuple[int, int]:
    return (upload.id, 0)


_DESCRIPTION = (
    "Of the file of deals that was uploaded last; the header Freshrate-Deals-Upload names it. With `convert` each deal counts "
    "at the rate that was in force at its own date and observed at most a day before it (a fiat currency's: seven days). "
    "Where a customer has a deal of which no such rate is known, or one of the future, what that one spent is null. There is no "
    "HEAD: with `convert` a request may spend credits, for the catalog is renewed where it lacks the symbol."
)

ROUTES = (
    Route(
        path=PATH,
        handler=show_deals,
        summary="The customers who spent most, and their gems",
        description=_DESCRIPTION,
        tag="Deals",
        query=DealsQuerySchema,
        answers=DealsSchema,
        example=DEALS,
        errors=(InvalidInput, TooManyRequests, *FAILURES, CatalogNotLoaded),
        redirects=(304,),
        has_head=False,
    ),
    Route(
        path="/api/deals/uploads/",
        handler=list_uploads,
        summary="The files of deals that were uploaded, newest first",
        tag="Deals",
        query=DealsUploadsQuerySchema,
        answers=DealsUploadsPageSchema,
        example=page(DEALS_UPLOAD),
        errors=(InvalidInput, StorageUnavailable),
    ),
)

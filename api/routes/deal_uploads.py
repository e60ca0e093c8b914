"""A new file of deals."""

from aiohttp import web

from api.answers import json_answer
from api.context import CONTEXT
from api.deals.body import SenderLeft
from api.deals.upload_schemas import REQUEST_BODY, UPLOAD_HEADER, DealsTakenSchema
from api.gate import CLIENT_GONE
from api.keys import KeyNeed
from api.queries import NoQuery
from api.routes.route import Route
from shared.errors import (
    ForeignOrigin,
    InvalidDeals,
    InvalidInput,
    KeyRequired,
    NoRoomForUpload,
    StorageUnavailable,
    TooManyRequests,
    UnsupportedUpload,
    UploadsBusy,
    UploadStopped,
    UploadTooLarge,
    UploadTooSlow,
)

_OK = b'{"Status":"OK"}'


async def upload_deals(request: web.Request, _query: NoQuery) -> web.Response:
    api = request.app[CONTEXT]
    try:
        replacement = await api.uploads.take(request)
    except SenderLeft:
        return web.Response(status=CLIENT_GONE)
    api.deals.prepare(replacement.upload.id)
    headers = {UPLOAD_HEADER: str(replacement.upload.id), "Cache-Control": "no-store"}
    return json_answer(_OK, headers)


_DESCRIPTION = (
    "CSV (RFC 4180) with the columns customer, item, total, quantity and date, in any order: the field `deals` of a form, or "
    "the file as the body. It replaces the deals as a whole once all of it is found to be good, else they stay as they are. "
    "The same file again changes nothing. `charset` of its Content-Type is honoured (UTF-8 unless said); `header=absent` "
    "there says that the first line names no columns. Needs a key as soon as API_KEYS is set."
)

ROUTES = (
    Route(
        path="/api/deals/",
        method="POST",
        handler=upload_deals,
        summary="Replace the deals by those of a file",
        description=_DESCRIPTION,
        tag="Deals",
        body=REQUEST_BODY,
        answers=DealsTakenSchema,
        example={"Status": "OK"},
        errors=(
            InvalidDeals,
            InvalidInput,
            KeyRequired,
            ForeignOrigin,
            UploadTooSlow,
            UploadTooLarge,
            UnsupportedUpload,
            TooManyRequests,
            UploadsBusy,
            UploadStopped,
            StorageUnavailable,
            NoRoomForUpload,
        ),
        needs_key=KeyNeed.ONCE_SET,
    ),
)

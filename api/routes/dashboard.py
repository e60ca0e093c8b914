"""The dashboard's page, which browsers get at the root of the server, and its files."""

import asyncio
from http import HTTPStatus
from io import BytesIO

from aiohttp import BytesIOPayload, hdrs, web
from multidict import CIMultiDict

from api.answers import is_unchanged
from api.dashboard.assets import load_assets
from api.dashboard.page import PAGE_HEADERS, load_page
from api.queries import NoQuery
from api.routes.route import Route
from api.weighted import names
from shared.errors import InvalidInput, NotFound

_ASSET_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


def page_answer(request: web.Request) -> web.Response:
    """The page, or 304 where the browser has it already."""
    page = load_page()
    headers = {**PAGE_HEADERS, "ETag": page.etag}
    if is_unchanged(request, page.etag):
        del headers["Content-Type"]
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return web.Response(body=page.body, headers=headers)


async def show_asset(request: web.Request, _query: NoQuery) -> web.Response:
    """A file, compressed for those who take that."""
    asset = load_assets().find(request.match_info["digest"], request.match_info["asset"])
    if asset is None:
        raise NotFound(
            "There is no such file, or no more: the page of another release named it. Reload the page."
        )
    headers = CIMultiDict(_ASSET_HEADERS, ETag=f'W/"{asset.digest}"')
    if is_unchanged(request, headers["ETag"]):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers["Content-Type"] = asset.media_type
    # Who does not say gets the file as it is.
    if names(request, hdrs.ACCEPT_ENCODING, "gzip", "x-gzip"):
        headers["Content-Encoding"] = "gzip"
        kept = asset.compressed
        body = await asyncio.to_thread(asset.compress) if kept is None else kept
    else:
        body = await asyncio.to_thread(asset.body)
    # A payload is written in slices; bytes would wait as a whole for a slow client.
    return web.Response(body=BytesIOPayload(BytesIO(body), headers=CIMultiDict()), headers=headers)


ROUTES = (
    Route(
        path="/assets/{digest}/{asset}",
        handler=show_asset,
        summary="A file of the dashboard",
        tag="Dashboard",
        answers="application/octet-stream",
        errors=(InvalidInput, NotFound),
        redirects=(304,),
        is_documented=False,
    ),
)

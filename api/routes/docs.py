"""The OpenAPI document, and a page to read and try it. Every asset comes from this server.

Scripts run from files of our own origin only. Styles may be inline: Swagger UI writes them at run time.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from string import Template

import orjson
from aiohttp import web

from api.answers import is_unchanged, json_answer
from api.context import CONTEXT
from api.etags import etag_of
from api.openapi import openapi_document
from api.queries import NoQuery
from api.routes.route import Route
from shared.errors import InvalidInput, NotFound

_OURS = Path(__file__).parents[1] / "docs"
_OWN_ASSETS = ("page.js", "page.css")
_SWAGGER_ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
_BANNER = '<p class="banner" role="alert">Simulated rates, not market prices. Do not trade on these.</p>'

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


async def show_openapi(request: web.Request, _query: NoQuery) -> web.StreamResponse:
    body, etag = _document()
    if is_unchanged(request, etag):
        return web.Response(status=304, headers={"ETag": etag})
    return json_answer(body, {"ETag": etag})


async def show_docs(request: web.Request, _query: NoQuery) -> web.Response:
    template = Template((_OURS / "page.html").read_text())
    text = template.substitute(banner=_BANNER if request.app[CONTEXT].settings.is_simulated else "")
    return web.Response(
        text=text, content_type="text/html", headers={**PAGE_HEADERS, "Cache-Control": "no-cache"}
    )


async def show_asset(request: web.Request, _query: NoQuery) -> web.StreamResponse:
    """A file of the page, from an allow-list; FileResponse adds validators and answers conditional requests."""
    path = _assets().get(request.match_info["asset"])
    if path is None:
        raise NotFound
    return web.FileResponse(path, headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"})


@lru_cache(maxsize=1)
def _document() -> tuple[bytes, str]:
    from api.routes import ROUTES  # noqa: PLC0415 - the table itself imports this file

    body = orjson.dumps(openapi_document(ROUTES))
    return body, etag_of(body)


@lru_cache(maxsize=1)
def _assets() -> dict[str, Path]:
    """Found without importing the package, which would import web frameworks that we do not use."""
    package = find_spec("swagger_ui")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("swagger-ui-py")
    static = Path(package.submodule_search_locations[0]) / "static"
    return {name: static / name for name in _SWAGGER_ASSETS} | {name: _OURS / name for name in _OWN_ASSETS}


ROUTES = (
    Route(
        path="/api/openapi.json",
        handler=show_openapi,
        summary="This document",
        tag="Documentation",
        answers="application/json",
        errors=(InvalidInput,),
        redirects=(304,),
    ),
    Route(
        path="/api/docs/",
        handler=show_docs,
        summary="A page to read and try this API",
        tag="Documentation",
        answers="text/html",
        errors=(InvalidInput,),
    ),
    Route(
        path="/api/docs/{asset}",
        handler=show_asset,
        summary="A file of that page",
        tag="Documentation",
        answers="application/octet-stream",
        errors=(InvalidInput, NotFound),
        redirects=(304,),
        is_documented=False,
    ),
)

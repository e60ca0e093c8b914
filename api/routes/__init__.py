"""The table of all routes. A new resource is one file here and one line below."""

from aiohttp import web

from api.routes import (
    candles,
    currencies,
    dashboard,
    deal_uploads,
    deals,
    docs,
    health,
    last_rate,
    latest_rate,
    market,
    metrics,
    quotes,
    rates,
    services,
    sparklines,
    status,
    stream,
    top,
    websocket,
)
from api.routes.route import Route, expected, guarded

ROUTES: tuple[Route, ...] = (
    *currencies.ROUTES,
    *rates.ROUTES,
    *candles.ROUTES,
    *sparklines.ROUTES,
    *last_rate.ROUTES,
    *latest_rate.ROUTES,
    *quotes.ROUTES,
    *top.ROUTES,
    *deal_uploads.ROUTES,
    *deals.ROUTES,
    *stream.ROUTES,
    *websocket.ROUTES,
    *services.ROUTES,
    *health.ROUTES,
    *metrics.ROUTES,
    *docs.ROUTES,
    *market.ROUTES,
    *status.ROUTES,
    *dashboard.ROUTES,
)


def add_routes(app: web.Application) -> None:
    """Every route of the table, and a redirect to each path that ends in a slash from the one without."""
    without_slash = set()
    for route in ROUTES:
        handler = guarded(route)
        resource = app.router.add_resource(route.path)
        resource.add_route(route.method, handler, expect_handler=expected)
        if route.method == "GET" and route.has_head:
            resource.add_route("HEAD", handler, expect_handler=expected)
        if route.path.endswith("/") and route.path != "/":
            without_slash.add(route.path.rstrip("/"))
    for path in sorted(without_slash):
        app.router.add_route("*", path, _with_slash, expect_handler=expected)


async def _with_slash(request: web.Request) -> web.StreamResponse:
    path, question, query = request.raw_path.partition("?")
    raise web.HTTPPermanentRedirect(f"{path}/{question}{query}")

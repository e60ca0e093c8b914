"""Metrics in Prometheus' text format."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from api.context import CONTEXT
from api.queries import NoQuery
from api.routes.route import Route
from shared.errors import InvalidInput


async def show_metrics(request: web.Request, _query: NoQuery) -> web.Response:
    body = await request.app[CONTEXT].registry.scrape()
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


ROUTES = (
    Route(
        path="/metrics",
        handler=show_metrics,
        summary="Metrics for Prometheus",
        tag="Operation",
        answers="text/plain",
        errors=(InvalidInput,),
    ),
)

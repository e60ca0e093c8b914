"""The worker's own small HTTP port: Prometheus metrics, and a liveness that depends on nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from shared.settings import Settings

log = structlog.get_logger(__name__)


@asynccontextmanager
async def serve_metrics(settings: Settings, registry: CollectorRegistry) -> AsyncIterator[None]:
    """Serves while the context lasts. A port in use is said and survived: several workers may share a machine."""
    if not settings.worker_metrics_port:
        yield
        return

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/health/live", live)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.api_host, settings.worker_metrics_port).start()
        except OSError as error:
            log.warning(
                "metrics are off: set WORKER_METRICS_PORT",
                port=settings.worker_metrics_port,
                error=str(error),
            )
        yield
    finally:
        await runner.cleanup()

"""The worker's own small HTTP port: Prometheus metrics, and a liveness that depends on nothing else."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.registry import Registry
from shared.settings import Settings
from worker.schedule import Scheduler

log = structlog.get_logger(__name__)


class JobGauges(Collector):
    """When each scheduled job was last done, by whichever worker. Nothing of one whose state was not read yet."""

    def __init__(self, schedulers: Sequence[Scheduler]) -> None:
        self._schedulers = schedulers

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "freshrate_job_last_success_timestamp_seconds",
            "When the job was last done, by whichever worker, in seconds since 1970; 0 means never.",
            labels=["name"],
        )
        for scheduler in self._schedulers:
            if scheduler.done_at:
                family.add_metric([scheduler.name], scheduler.done_at.timestamp())
        yield family


@asynccontextmanager
async def serve_metrics(settings: Settings, registry: Registry) -> AsyncIterator[None]:
    """Serves while the context lasts. A port in use is said and survived: several workers may share a machine."""
    if not settings.worker_metrics_port:
        yield
        return

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=await registry.scrape(), headers={"Content-Type": CONTENT_TYPE_LATEST})

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

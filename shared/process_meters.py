"""What Prometheus learns of a process itself: its version, memory, CPU and files, and how late its loop runs."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared import __version__

TICK_S = 0.1
"""How often the loop is looked at; what blocks it for less may pass unseen."""


class LoopLag(Collector):
    """How late the loop ran what was due: the largest delay since the last scrape."""

    def __init__(self) -> None:
        self._largest = 0.0

    async def run(self) -> None:
        while True:
            due = perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            self._largest = max(self._largest, perf_counter() - due)

    def collect(self) -> Iterable[Metric]:
        largest, self._largest = self._largest, 0.0
        yield GaugeMetricFamily(
            "freshrate_loop_lag_seconds",
            "Largest delay of the event loop since the last scrape.",
            value=largest,
        )


@asynccontextmanager
async def watch_process(registry: CollectorRegistry) -> AsyncIterator[None]:
    """Meters the process while the context lasts."""
    Info("freshrate_build", "The version that runs.", registry=registry).info({"version": __version__})
    ProcessCollector(registry=registry)
    lag = LoopLag()
    registry.register(lag)
    watching = asyncio.create_task(lag.run(), name="loop lag")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

"""The metrics of one process, and what must be asked of others before they are read."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import CollectorRegistry, generate_latest

from shared.errors import FreshrateError

log = structlog.get_logger(__name__)

PATIENCE_S = 0.01
"""So long a scrape waits for answers. Later ones serve the next scrape."""

Ask = Callable[[], Awaitable[None]]


class Registry(CollectorRegistry):
    """A registry of which some figures live in the database or the queue.

    They are asked for when somebody scrapes, and by nobody else. A server that is down or slow costs the scrape 10 ms,
    and it then tells what was known last.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asks: dict[Ask, asyncio.Task[None] | None] = {}

    def ask_first(self, ask: Ask) -> None:
        """Has `ask` called before each scrape, one call at a time. It may raise FreshrateError."""
        self._asks[ask] = None

    async def scrape(self) -> bytes:
        """Everything in Prometheus' text format."""
        for ask, task in self._asks.items():
            if task is None or task.done():
                self._asks[ask] = asyncio.create_task(_asked(ask), name="figures for the scrape")
        tasks = [task for task in self._asks.values() if task]
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE_S)
        return generate_latest(self)

    async def close(self) -> None:
        """Ends what is still being asked."""
        tasks = [task for task in self._asks.values() if task]
        self._asks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _asked(ask: Ask) -> None:
    try:
        await ask()
    except FreshrateError as error:
        log.debug("figures not known", error=str(error))
    except Exception:  # a defect here must not fail the scrape
        log.exception("figures not known")

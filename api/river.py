"""The river of facts: one connection that answers waiters, renews the memory, and later feeds live streams.

The stream is only a hint; the database is the truth. So the last rates are listed at the start, again every 10 s, and
at once after a gap; then the waiters who still wait ask again. Reading the stream never waits for the database.
"""

import asyncio
import random
from collections.abc import Sequence

import structlog

from api.catalog import Catalog
from api.memory import RateMemory
from api.refresh import Refresher
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.errors import FreshrateError, QueueUnavailable
from shared.messages import CatalogStored, Fact, RatesStored, RefreshFailed
from shared.outage_log import OutageLog
from shared.ports import Announced, Gap, Queue, Storage, StreamEvent

log = structlog.get_logger(__name__)

LISTING_SECONDS = 10.0
RETRY_SECONDS = 1.0
CHUNK = 500
"""Rates that are learned before other work gets its turn."""


class River:
    """Reads the stream and keeps memory true."""

    def __init__(
        self,
        *,
        storage: Storage,
        queue: Queue,
        memory: RateMemory,
        catalog: Catalog,
        refresher: Refresher,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._queue = queue
        self._memory = memory
        self._catalog = catalog
        self._refresher = refresher
        self._clock = clock
        self._wake = asyncio.Event()
        self._catalog_is_old = True
        self._ask_again = False
        self._outage = OutageLog("last rates not listed", "last rates listed again")
        self.is_flowing = False
        """Whether the stream is being read."""
        self.lag: float | None = None
        """Seconds that the fact taken last was old then, by our clock and the queue's; it does not grow in silence."""

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(), name="facts")
            tasks.create_task(self._list(), name="listing")

    # The stream

    async def _read(self) -> None:
        while True:
            try:
                async for event in self._queue.events():
                    self._take(event)
                self._lose("The stream of facts has ended.")
                return
            except Exception:  # whatever it was, the next event may be good
                log.exception("stream of facts broke")
                self._lose("The stream of facts broke, so no answer could be heard.")
                await asyncio.sleep(RETRY_SECONDS)

    def _take(self, event: StreamEvent) -> None:
        if isinstance(event, Announced):
            self._learn(event.fact)
            self.lag = max(0.0, self._clock().timestamp() - event.announced_at)
        elif isinstance(event, Gap):
            self.is_flowing = True
            self._refresher.regain_queue()
            self._catalog_is_old = self._ask_again = True
            self._wake.set()
        else:
            self._lose(None)

    def _learn(self, fact: Fact) -> None:
        if isinstance(fact, RatesStored):
            rates = (*fact.stored, *fact.confirmed)
            self._memory.learn(rates, prolong=True)
            self._refresher.settle(rates, frozenset(fact.command_ids))
        elif isinstance(fact, RefreshFailed):
            self._refresher.fail(fact)
        elif isinstance(fact, CatalogStored):
            self._catalog_is_old = True
            self._wake.set()

    def _lose(self, reason: str | None) -> None:
        self.is_flowing = False
        self._refresher.lose_queue(QueueUnavailable(reason))

    # The listing

    async def _list(self) -> None:
        while True:
            self._wake.clear()
            pause = LISTING_SECONDS
            try:
                await self._list_once()
                self._outage.note_success()
            except FreshrateError as error:
                self._outage.note_failure(error)
                pause = RETRY_SECONDS
            except Exception:  # whatever it was, the next listing may be good
                log.exception("last rates not listed")
                pause = RETRY_SECONDS
            await self._rest(pause * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, no secret

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _list_once(self) -> None:
        ask_again = self._ask_again
        rates = await self._storage.last_rates()
        await self._correct(rates)
        if ask_again:
            self._ask_again = False
            self._refresher.ask_again()
        if self._catalog_is_old or not self._catalog.is_loaded:
            self._catalog_is_old = False
            try:
                await self._catalog.load()
            except BaseException:
                self._catalog_is_old = True
                raise

    async def _correct(self, rates: Sequence[Rate]) -> None:
        for start in range(0, len(rates), CHUNK):
            chunk = rates[start : start + CHUNK]
            self._memory.learn(chunk, prolong=False)
            self._refresher.settle(chunk)
            await asyncio.sleep(0)

"""The river of facts: one connection that answers waiters, renews the memory, and feeds live streams.

The stream is only a hint; the database is the truth. So the last rates and the last ranking are listed at the start, again
every 10 s, and at once after a gap; then the waiters who still wait ask again. Reading the stream never waits for the
database. A ranking that names currencies which the catalog lacks is kept back until the catalog is read again, and so is
the end of a renewal that somebody waits for.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence

import structlog

from api.catalog import Catalog
from api.catalog_renewals import CatalogRenewals
from api.memory import RateMemory
from api.refresh import Refresher
from api.top.top import Top
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.errors import FreshrateError, QueueUnavailable, StorageUnavailable
from shared.messages import CatalogStored, Fact, RankingStored, RatesStored, RefreshFailed
from shared.outage_log import OutageLog
from shared.ports import Announced, Gap, Queue, Storage, StreamEvent

log = structlog.get_logger(__name__)

LISTING_SECONDS = 10.0
RETRY_SECONDS = 1.0
MOST_KEPT_BACK = 8
"""Rankings: an older one serves nobody."""
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
        top: Top,
        renewals: CatalogRenewals,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._queue = queue
        self._memory = memory
        self._catalog = catalog
        self._refresher = refresher
        self._top = top
        self._renewals = renewals
        self._all_flights = (refresher, top.rankings, renewals)
        self._clock = clock
        self._wake = asyncio.Event()
        self._catalog_is_old = True
        self._ask_again = False
        self._kept_back: deque[RankingStored] = deque(maxlen=MOST_KEPT_BACK)
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
            for flights in self._all_flights:
                flights.regain_queue()
            self._catalog_is_old = self._ask_again = True
            self._wake.set()
        else:
            self._lose(None)

    def _learn(self, fact: Fact) -> None:
        if isinstance(fact, RatesStored):
            rates = (*fact.stored, *fact.confirmed)
            self._memory.learn(rates, prolong=True)
            if fact.command_ids:
                self._top.current.note_answers(rates)
            self._refresher.settle(rates, frozenset(fact.command_ids))
        elif isinstance(fact, RankingStored):
            if self._catalog.lacks(fact.ranking.currency_ids):
                self._kept_back.append(fact)
                self._catalog_is_old = True
                self._wake.set()
            else:
                self._top.learn(fact.ranking, fact.command_ids)
        elif isinstance(fact, RefreshFailed):
            self._top.fail(fact)
            self._refresher.fail(fact)
            self._renewals.fail(fact)
        elif isinstance(fact, CatalogStored):
            if fact.command_ids:
                self._renewals.note(fact.command_ids)
            self._catalog_is_old = True
            self._wake.set()

    def _lose(self, reason: str | None) -> None:
        self.is_flowing = False
        for flights in self._all_flights:
            flights.lose_queue(QueueUnavailable(reason))

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
                self._renewals.note_unreadable(error)
                pause = RETRY_SECONDS
            except Exception:  # whatever it was, the next listing may be good
                log.exception("last rates not listed")
                self._renewals.note_unreadable(StorageUnavailable())
                pause = RETRY_SECONDS
            finally:
                self._top.is_listed.set()
            await self._rest(pause * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, no secret

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _list_once(self) -> None:
        ask_again, self._ask_again = self._ask_again, False
        try:
            await self._list_all(ask_again=ask_again)
        except BaseException:
            self._ask_again |= ask_again
            raise

    async def _list_all(self, *, ask_again: bool) -> None:
        rates = await self._storage.last_rates()
        await self._correct(rates)
        if ask_again:
            self._refresher.ask_again()
        ranking = await self._storage.last_ranking(now=self._clock())
        if ranking is not None and self._catalog.lacks(ranking.currency_ids):
            self._catalog_is_old = True
        if self._catalog_is_old or not self._catalog.is_loaded:
            await self._load_catalog()
        self._top.learn(ranking)
        if ask_again:
            self._top.rankings.ask_again()
            self._renewals.ask_again()

    async def _load_catalog(self) -> None:
        self._catalog_is_old = False
        renewals = self._renewals.unread()
        try:
            await self._catalog.load()
        except BaseException:
            self._catalog_is_old = True
            raise
        self._memory.forget(self._catalog.merged())
        self._top.current.rename()
        self._renewals.settle(renewals)
        while self._kept_back:
            fact = self._kept_back.popleft()
            self._top.learn(fact.ranking, fact.command_ids)

    async def _correct(self, rates: Sequence[Rate]) -> None:
        for start in range(0, len(rates), CHUNK):
            chunk = rates[start : start + CHUNK]
            self._memory.learn(chunk, prolong=False)
            self._refresher.settle(chunk)
            await asyncio.sleep(0)

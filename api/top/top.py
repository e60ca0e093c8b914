"""The top list as routes ask for it."""

import asyncio
from datetime import datetime

from prometheus_client import CollectorRegistry

from api.catalog import Catalog
from api.known_paths import KnownPaths
from api.memory import RateMemory
from api.metrics import RankingAge, TopMetrics
from api.refresh import Refresher
from api.top.as_of import PastTop
from api.top.current import CurrentTop
from api.top.encoded_lists import TopAnswer
from api.top.paths import Wanted
from api.top.rankings import RankingRefresher
from api.top.renewal import TopRenewal
from api.top.renewals import TopRenewals
from shared.domain.ranking import Ranking
from shared.domain.rate import MAX_AHEAD
from shared.domain.times import Clock
from shared.errors import CatalogNotLoaded
from shared.messages import RefreshFailed
from shared.ports import Queue, Storage
from shared.settings import CRYPTOCOMPARE, Settings

FIRST_LISTING_SECONDS = 2.0
"""So long the first requests of a process wait for what the store knows, before sources are asked; never longer than half
of what a refresh may take."""
LAST_WORDS_SECONDS = 0.3
"""A renewal whose time is up still learns why, which may take so long."""


class Top:
    """The list of now with its renewals, and lists of the past."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        queue: Queue,
        memory: RateMemory,
        catalog: Catalog,
        refresher: Refresher,
        clock: Clock,
        registry: CollectorRegistry,
    ) -> None:
        sources = settings.enabled_sources
        ttl = settings.cache_ttl_seconds
        self._settings = settings
        self._storage = storage
        self._catalog = catalog
        self._clock = clock
        self.current = CurrentTop(
            memory=memory,
            catalog=catalog,
            sources=sources,
            ttl=ttl,
            stale_after=settings.stale_after_seconds,
            clock=clock,
        )
        self.rankings = RankingRefresher(queue=queue, clock=clock, timeout=settings.refresh_timeout_seconds)
        renewal = TopRenewal(
            current=self.current,
            rankings=self.rankings,
            refresher=refresher,
            catalog=catalog,
            clock=clock,
            ttl=ttl,
            one_visit=_leader(sources) == sources[0],
        )
        self.renewals = TopRenewals(
            current=self.current, renewal=renewal, clock=clock, ttl=ttl, metrics=TopMetrics(registry)
        )
        self.paths: KnownPaths[Wanted] = KnownPaths()
        self.is_listed = asyncio.Event()
        """Set when the store was asked for the first time, whatever it said."""
        registry.register(RankingAge(lambda: self.current.observed_at, clock))

    # The stream and the listing

    def learn(self, ranking: Ranking | None, command_ids: tuple[str, ...] = ()) -> None:
        """A ranking that was announced, or the newest of the store. One from a worker whose clock is ahead would keep out all
        others until its time comes."""
        if ranking is not None and ranking.observed_at > self._clock() + MAX_AHEAD:
            return
        self.current.learn(ranking)
        if ranking is not None:
            self.rankings.settle(ranking, command_ids)

    def fail(self, fact: RefreshFailed) -> None:
        self.current.note_failures(fact)
        self.rankings.fail(fact)

    # What is asked for

    def ready(self, wanted: Wanted, now: float) -> TopAnswer | None:
        """For the fast lane: the list of now, where it lies ready and is not due."""
        answer = self.current.ready(wanted.limit, wanted.format, now)
        if answer is None:
            return None
        self.renewals.note_demand(wanted.limit, now)
        return answer.at_root() if wanted.is_at_root else answer

    async def now(self, wanted: Wanted, *, request_id: str) -> TopAnswer:
        """The list of now, renewed first where it is due; what is known where that fails. Where nothing is known, raises
        UpstreamError, NotTried, StorageUnavailable, DeadlineExceeded or CatalogNotLoaded."""
        asked = asyncio.get_running_loop().time()
        await self._listed()
        current, now = self.current, self._clock().timestamp()
        if current.observed_at is None and not self._catalog.is_loaded:
            raise CatalogNotLoaded(retry_after=5.0)
        self.renewals.note_demand(wanted.limit, now)
        error = None
        if current.due_at(wanted.limit, now) <= now:
            waited = asyncio.get_running_loop().time() - asked
            error = await self.renewals.renewed(
                wanted.limit,
                request_id=request_id,
                patience=max(0.0, self._settings.refresh_timeout_seconds - waited) + LAST_WORDS_SECONDS,
            )
            now = self._clock().timestamp()
        if error is not None and current.observed_at is None:
            raise error
        is_due = current.due_at(wanted.limit, now) <= now
        not_renewed = is_due and (error is not None or current.is_aged(wanted.limit, now))
        answer = await current.answer(wanted.limit, wanted.format, not_renewed=not_renewed)
        return answer.at_root() if wanted.is_at_root else answer

    async def past(self, moment: datetime, limit: int) -> PastTop:
        """Raises StorageUnavailable."""
        past = PastTop(
            self._storage,
            moment=moment,
            limit=limit,
            sources=self._settings.sources,
            stale_after=self._settings.stale_after,
        )
        await past.open()
        return past

    async def close(self) -> None:
        await self.renewals.close()
        await self.rankings.close()

    async def _listed(self) -> None:
        if self.is_listed.is_set():
            return
        try:
            async with asyncio.timeout(
                min(FIRST_LISTING_SECONDS, self._settings.refresh_timeout_seconds / 2)
            ):
                await self.is_listed.wait()
        except TimeoutError:
            return


def _leader(sources: tuple[str, ...]) -> str:
    """The source whose ranking is asked for first; CryptoCompare's is preferred to those of sources preferred for prices."""
    return CRYPTOCOMPARE if CRYPTOCOMPARE in sources else sources[0]

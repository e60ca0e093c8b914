"""The visit for a ranking: one job behind the schedule and the commands.

Sources are asked in order, the next one where one fails. A snapshot is whole or it is nothing: one page that fails fails
it, and then nothing of it is stored. What is stored is named first, for a rate needs its currency; then the prices that
came along, then the ranking, so that whoever learns of a ranking finds its prices. Where storing breaks off in between,
what was stored stays and is told, without a ranking.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared.domain.currency import Currency
from shared.domain.ranking import LONGEST_RANKING, RankedCoin, Ranking
from shared.domain.rate import Observation, RecordedRate
from shared.domain.visit import Failure, Visit, VisitOutcome, VisitReason
from shared.errand import Deadline, attempts_for, failure_of, weightier
from shared.errors import CatalogNotLoaded, FreshrateError, NotTried, StorageUnavailable
from shared.messages import CatalogStored, Fact, RankingStored
from shared.opening import World
from shared.ports import RankingSource
from shared.settings import Settings
from shared.sources import ranking_sources
from shared.visit_journal import VisitJournal, believable
from shared.visitor import facts_of_rates
from worker.catalog import loaded_catalog
from worker.ranking_names import Namer
from worker.ranking_pages import RankingPages

log = structlog.get_logger(__name__)

STEP = 200
"""CoinMarketCap bills by so many places, so no more are spared by asking for less."""


def length_of(places: int) -> int:
    """How long a ranking is asked for where so many places are wanted."""
    return min(LONGEST_RANKING, max(STEP, -(-places // STEP) * STEP))


def length_of_polls(settings: Settings) -> int:
    return length_of(settings.tracked_top)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingReport:
    """The end of a visit: a ranking, or a failure; and whatever was stored, with either."""

    ranking: Ranking | None = None
    recorded: tuple[RecordedRate, ...] = ()
    """The prices that came along."""
    catalog: CatalogStored | None = None
    """Where currencies were added or merged."""
    failure: Failure | None = None

    def facts(self, command_ids: Sequence[str] = ()) -> list[Fact]:
        """In the order in which they make sense. `command_ids`: the commands that the visit served."""
        facts: list[Fact] = [*([self.catalog] if self.catalog else []), *facts_of_rates(self.recorded)]
        if self.ranking:
            facts.append(RankingStored(ranking=self.ranking, command_ids=tuple(command_ids)))
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """A whole ranking, as one source gave it."""

    source: RankingSource
    coins: tuple[RankedCoin, ...]
    is_whole: bool
    started_at: datetime
    answered_at: datetime
    credits: int


async def visit_ranking(
    world: World,
    length: int,
    *,
    reason: VisitReason,
    asked_at: datetime,
    time_left: timedelta,
    patience: timedelta = timedelta(0),
    spared: Collection[str] = (),
) -> RankingReport:
    """Fetches and stores a ranking of so many places.

    `asked_at`: no rate of this visit says that it was fetched before. `patience`: to wait for the catalog. `spared`: names of
    sources that are not to be asked. Storage that is down is an end like any other: nothing is raised but for defects.
    """
    deadline = Deadline.within(time_left)
    sources = ranking_sources(world.sources)
    try:
        catalog = await loaded_catalog(world.storage, patience=patience)
        if not catalog:
            raise CatalogNotLoaded
    except FreshrateError as error:
        return RankingReport(failure=failure_of(None, error))
    visit = _RankingVisit(world, length, reason=reason, asked_at=asked_at, catalog=catalog)
    return await visit.ask_in_turn([one for one in sources if one.name not in spared], deadline)


class _RankingVisit:
    def __init__(
        self, world: World, length: int, *, reason: VisitReason, asked_at: datetime, catalog: list[Currency]
    ) -> None:
        self._world = world
        self._length = length
        self._what = f"ranking of {length}"
        self._reason = reason
        self._asked_at = asked_at
        self._catalog = catalog
        self._journal = VisitJournal(storage=world.storage, clock=world.clock, meters=world.meters)
        self._recorded: tuple[RecordedRate, ...] = ()
        self._is_catalog_changed = False
        self._has_journaled_credits = False
        """Of the source that is being asked."""

    async def ask_in_turn(self, sources: Sequence[RankingSource], deadline: Deadline) -> RankingReport:
        ranking, failure = await self._first_ranking(sources, deadline)
        return RankingReport(
            ranking=ranking,
            recorded=self._recorded,
            catalog=CatalogStored(currencies=await self._currencies()) if self._is_catalog_changed else None,
            failure=None if ranking else failure_of(None, failure),
        )

    async def _first_ranking(
        self, sources: Sequence[RankingSource], deadline: Deadline
    ) -> tuple[Ranking | None, FreshrateError | None]:
        failure: FreshrateError | None = None if sources else NotTried("None of SOURCES has a ranking.")
        for place, source in enumerate(sources):
            if not deadline.time_left():
                break
            sources_left = len(sources) - place
            share = Deadline.within(deadline.time_for_one_of(sources_left))
            try:
                attempts = attempts_for(self._reason, sources_left=sources_left)
                return await self._ask(source, share, attempts), None
            except StorageUnavailable as error:
                failure = weightier(failure, error)
                break
            except FreshrateError as error:
                failure = weightier(failure, error)
        return None, failure

    async def _ask(self, source: RankingSource, deadline: Deadline, attempts: int) -> Ranking:
        pages = RankingPages(self._world.upstream, source, self._length, deadline=deadline, attempts=attempts)
        started_at = self._world.clock()
        self._has_journaled_credits = False
        try:
            with self._journal.asking(source, self._what, self._reason) as span:
                coins, is_whole = await pages.merged()
                span.note({"credits": pages.credits, "calls": pages.calls})
            snapshot = _Snapshot(
                source=source,
                coins=coins,
                is_whole=is_whole,
                started_at=started_at,
                answered_at=pages.answered_at or started_at,
                credits=pages.credits,
            )
            with self._journal.storing(len(coins), self._reason):
                return await self._keep(snapshot)
        except FreshrateError as error:
            log.warning("no ranking", source=source.name, length=self._length, error=str(error))
            await self._journal.record_failure(
                source,
                self._what,
                self._reason,
                started_at=started_at,
                error=error,
                credits=0 if self._has_journaled_credits else pages.credits,
            )
            raise

    async def _keep(self, snapshot: _Snapshot) -> Ranking:
        storage, clock = self._world.storage, self._world.clock
        source = snapshot.source
        namer = Namer(source=source, catalog=self._catalog, storage=storage, clock=clock)
        names = await namer.names_of(snapshot.coins)
        self._is_catalog_changed |= names.is_catalog_changed
        ids = [names.currency_ids[coin.source_id] for coin in snapshot.coins]
        self._recorded += tuple(await self._keep_prices(snapshot, ids))
        self._has_journaled_credits = True
        return await storage.record_ranking(
            source.name,
            # A database may call two coins one currency, and then the first of them has its place.
            list(dict.fromkeys(ids)),
            is_whole=snapshot.is_whole,
            observed_at=snapshot.answered_at,
            stored_at=clock(),
        )

    async def _currencies(self) -> int:
        """As many as were known before where they cannot be counted now: that there are others must be told all the same."""
        try:
            return len(await self._world.storage.catalog())
        except FreshrateError as error:
            log.warning("currencies not counted", error=str(error))
            return len(self._catalog)

    async def _keep_prices(self, snapshot: _Snapshot, currency_ids: Sequence[int]) -> list[RecordedRate]:
        """Those that came along, and the visit's line in the journal."""
        source = snapshot.source
        observations: dict[int, Observation] = {}
        for coin, currency_id in zip(snapshot.coins, currency_ids, strict=True):
            if coin.price is not None and currency_id not in observations:
                observations[currency_id] = Observation.of(
                    coin.price, currency_id=currency_id, source=source.name
                )
        believed, _ = believable(observations.values(), source, now=snapshot.answered_at)
        return await self._journal.record(
            believed,
            fetched_at=max(snapshot.answered_at, self._asked_at),
            visit=Visit(
                source=source.name,
                reason=self._reason,
                what=self._what,
                started_at=snapshot.started_at,
                duration=snapshot.answered_at - snapshot.started_at,
                outcome=VisitOutcome.DONE,
                credits=snapshot.credits,
                rates_stored=0,
            ),
        )

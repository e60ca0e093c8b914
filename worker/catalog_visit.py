"""The visit for the catalog: one job behind the daily renewal and the command.

A source that suddenly lists far less than is known is not believed: nothing is hidden because of one bad answer. When the
cryptocurrencies were last renewed, and until when nobody is to do it again on demand, is noted among the schedules, whoever
did it: all workers keep to it, and restarts do not change it.
"""

from datetime import datetime, timedelta

import structlog

from shared.domain.currency import CatalogEntry, CurrencyKind
from shared.domain.visit import VisitReason
from shared.errand import Deadline, attempts_for, weightier
from shared.errors import DeadlineExceeded, FreshrateError, NotTried, StorageUnavailable, UpstreamMalformed
from shared.messages import CatalogStored
from shared.opening import World
from shared.ports import Call, CatalogSource
from worker.plain_visit import plain_visit

log = structlog.get_logger(__name__)

ON_DEMAND = "catalog on demand"
"""Stands among the schedules: `done_at` is when the cryptocurrencies were last renewed, for whatever reason; its claims are
those of commands."""
PAUSE = "catalog pause"
"""Stands among the schedules: claimed for when the last attempt that failed, or was billed, began, until when commands make
no other. It failed where nothing was done since it began."""
SHORTEST_PAUSE = timedelta(seconds=60)
"""After an attempt that failed."""
SHARE = 20
"""Renewals on demand may take a twentieth of what polls may spend of the month, where a source bills them: polls of so many
times the credits give the pause."""
SMALLEST_SHARE = 0.5
"""Of the currencies known as active, a new catalog must list at least so many."""


async def visit_catalog(
    world: World, kind: CurrencyKind, *, reason: VisitReason, time_left: timedelta
) -> FreshrateError | None:
    """Renews the currencies of a kind from the first source that gives them, and says why none did. Storage that is down is
    an end like any other: nothing is raised but for defects."""
    deadline = Deadline.within(time_left)
    offers = [
        (source, source.catalog()[kind])
        for source in world.sources
        if isinstance(source, CatalogSource) and kind in source.catalog()
    ]
    failure: FreshrateError | None = None if offers else NotTried("None of SOURCES has a catalog.")
    for place, (source, call) in enumerate(offers):
        sources_left = len(offers) - place
        if not deadline.time_left():
            return failure or DeadlineExceeded()
        try:
            await _renew(
                world,
                source,
                kind,
                call,
                reason=reason,
                time_left=deadline.time_for_one_of(sources_left),
                attempts=attempts_for(reason, sources_left=sources_left),
            )
        except StorageUnavailable as error:
            return weightier(failure, error)
        except FreshrateError as error:
            failure = weightier(failure, error)
        else:
            return None
    return failure


async def _renew(
    world: World,
    source: CatalogSource,
    kind: CurrencyKind,
    call: Call[list[CatalogEntry]],
    *,
    reason: VisitReason,
    time_left: timedelta,
    attempts: int,
) -> None:
    started_at = world.clock()
    billed = timedelta(0)
    try:
        known = await world.storage.catalog()
        active = sum(1 for currency in known if currency.kind is kind and currency.is_active)
        async with plain_visit(world, source, call.what, reason) as visit:
            entries = await visit.ask(call, time_left=time_left, attempts=attempts)
            billed = await world.upstream.poll_interval(source, SHARE * visit.credits)
            if len(entries) < active * SMALLEST_SHARE:
                raise UpstreamMalformed(f"{len(entries)} currencies listed where {active} are known")
            await world.storage.record_catalog(kind, entries, stored_at=world.clock())
    except FreshrateError as error:
        log.warning("catalog not renewed", source=source.name, kind=kind.value, error=str(error))
        if kind is CurrencyKind.CRYPTO:
            await _keep_quiet(world, started_at, max(billed, SHORTEST_PAUSE))
        raise
    log.info("catalog renewed", source=source.name, kind=kind.value, currencies=len(entries))
    if kind is CurrencyKind.CRYPTO:
        await end_claim(world, done_at=started_at)
        # Later than its success, so whoever sees the pause sees that too.
        if billed:
            await _keep_quiet(world, started_at, billed)


async def _keep_quiet(world: World, started_at: datetime, pause: timedelta) -> None:
    """One that cannot be noted now is none: with the store away nothing is asked of a source either."""
    try:
        state = await world.storage.schedule_state(PAUSE)
        await world.storage.claim_tick(state, due=started_at, until=world.clock() + pause)
    except FreshrateError as error:
        log.warning("pause not noted", job=PAUSE, error=str(error))


async def end_claim(world: World, *, done_at: datetime | None) -> None:
    """Whatever claim a command holds. One that cannot be ended now ends by itself."""
    try:
        await world.storage.finish_tick(ON_DEMAND, now=world.clock(), done_at=done_at)
    except FreshrateError as error:
        log.warning("claim not ended", job=ON_DEMAND, error=str(error))


async def catalog_stored(world: World, command_ids: tuple[str, ...] = ()) -> CatalogStored:
    """The fact that tells of it."""
    return CatalogStored(currencies=len(await world.storage.catalog()), command_ids=command_ids)

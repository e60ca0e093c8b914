"""Profiles: supplies, tags and links of what is tracked or in demand, renewed when they are a day old.

What they cost: at CoinMarketCap a hundred currencies are two credits, one for tags and links and one for the supplies, and
one currency is two credits as well. 200 tracked ones are 4 credits a day, 120 a month. The job looks every 5 minutes, so that
a newcomer need not wait for long, and asks only for what is due; after it has asked it keeps quiet for as long as polls
of ten times the credits would, so all of it takes hardly more than a tenth of what polls may spend of the month: with the
free plan's 15,000 credits newcomers wait for about an hour at most, and where a budget is small, profiles grow older than a day.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared.domain.currency import Currency, CurrencyKind, CurrencyProfile, merged_profiles
from shared.domain.rate import MAX_AHEAD
from shared.domain.schedule import Every
from shared.domain.visit import VisitReason
from shared.errand import Deadline, attempts_for
from shared.errors import FreshrateError, NotTried, UpstreamError, UpstreamRejected
from shared.messages import CatalogStored, Role
from shared.opening import World
from shared.ports import ProfileSource
from worker.announce import announce
from worker.catalog import PATIENCE, loaded_catalog
from worker.job import Job
from worker.plain_visit import PlainVisit, plain_visit
from worker.tracked import MOST_WARM, tracked

log = structlog.get_logger(__name__)

OLDEST = timedelta(hours=24)
CHUNK = 100
"""Currencies of one visit: what one credit buys. So by id none is dearer than from a listing, which may miss some."""
MOST_IN_DEMAND = 2 * MOST_WARM
"""Those that are warm, and as many that are tracked anyhow."""
MOST_AT_ONCE = 500
"""In one run: ten calls of CoinMarketCap's thirty a minute."""
SHARE = 10
"""See above: polls of so many times the credits give the pause."""
ASKED = "profiles asked"
"""Stands among the schedules: `done_at` is when credits were last spent."""
TIME_LIMIT = timedelta(seconds=40)
"""With the storing it fits into the job's lease."""


@dataclass(slots=True)
class _Run:
    """What came of one run."""

    renewed: int = 0
    credits: int = 0


async def renew_profiles(world: World, *, patience: timedelta = PATIENCE) -> datetime | None:
    """Whatever a source does not give is kept as empty, so it is not asked for again before a day is over; but only where it
    answered."""
    catalog = await loaded_catalog(world.storage, patience=patience)
    if not catalog:
        log.warning("no profiles before the catalog is loaded")
        return None
    started_at = world.clock()
    source = next((one for one in world.sources if isinstance(one, ProfileSource)), None)
    due = await _due(world, catalog)
    if source is None or not due or await _must_wait(world, source, due):
        return started_at
    run = await _renew_in_chunks(world, source, due)
    if run.renewed:
        log.info("profiles renewed", currencies=run.renewed, due=len(due))
        await announce(world.queue, [CatalogStored(currencies=len(catalog))])
    if run.credits:
        await world.storage.finish_tick(ASKED, now=world.clock(), done_at=started_at)
    return started_at if run.renewed == len(due) else None


async def _renew_in_chunks(world: World, source: ProfileSource, due: Sequence[int]) -> _Run:
    """Of a chunk that fails nothing is known, and the next one may succeed all the same."""
    run, deadline = _Run(), Deadline.within(TIME_LIMIT)
    for start in range(0, len(due), CHUNK):
        chunk = due[start : start + CHUNK]
        try:
            await _renew(world, source, chunk, deadline, run)
        except NotTried as error:
            log.debug("no profiles asked for", error=str(error))
            break
        except FreshrateError as error:
            log.warning("profiles not renewed", currencies=len(chunk), error=str(error))
            if not isinstance(error, UpstreamError):
                break
    return run


async def _due(world: World, catalog: Sequence[Currency]) -> list[int]:
    """What somebody asked for of late comes first, and of that what was never asked for at a source."""
    now = world.clock()
    asked_within = max(OLDEST, timedelta(hours=world.settings.warm_hours))
    ranking = await world.storage.last_ranking(now=now)
    crypto = {one.id for one in catalog if one.kind is CurrencyKind.CRYPTO}
    in_demand = crypto.intersection(
        await world.storage.in_demand_since(now - asked_within, limit=MOST_IN_DEMAND)
    )
    others = crypto.intersection(tracked(catalog, world.settings, ranking).all) - in_demand
    due = [
        *await world.storage.profiled_before(now - OLDEST, in_demand),
        *await world.storage.profiled_before(now - OLDEST, others),
    ]
    return due[:MOST_AT_ONCE]


async def _must_wait(world: World, source: ProfileSource, due: Collection[int]) -> bool:
    """Whether the month does not bear another visit yet."""
    last = (await world.storage.schedule_state(ASKED)).done_at
    credits = sum(call.credits for call in source.profiles(due, {}))
    pause = await world.upstream.poll_interval(source, SHARE * credits)
    return last is not None and -MAX_AHEAD <= world.clock() - last < pause


async def _renew(
    world: World, source: ProfileSource, chunk: Sequence[int], deadline: Deadline, run: _Run
) -> None:
    calls = source.profiles(chunk, {})
    await world.upstream.require(source, calls=len(calls), credits=sum(call.credits for call in calls))
    async with plain_visit(world, source, f"profiles of {len(chunk)}", VisitReason.POLL) as visit:
        try:
            profiles = await _asked(visit, source, chunk, deadline)
        finally:
            run.credits += visit.credits
        everything = {one: profiles.get(one, CurrencyProfile()) for one in chunk}
        await world.storage.record_profiles(everything, profiled_at=world.clock())
    run.renewed += len(chunk)


async def _asked(
    visit: PlainVisit, source: ProfileSource, currency_ids: Sequence[int], deadline: Deadline
) -> dict[int, CurrencyProfile]:
    """One that the source rejects fails the whole call, so the others are asked for once more without it."""
    try:
        return await _answers(visit, source, currency_ids, deadline)
    except UpstreamRejected as error:
        accepted = [one for one in currency_ids if str(one) not in error.rejected]
        if len(accepted) == len(currency_ids):
            raise
    return await _answers(visit, source, accepted, deadline)


async def _answers(
    visit: PlainVisit, source: ProfileSource, currency_ids: Sequence[int], deadline: Deadline
) -> dict[int, CurrencyProfile]:
    attempts = attempts_for(VisitReason.POLL, sources_left=1)
    return merged_profiles(
        [
            await visit.ask(call, time_left=deadline.time_left(), attempts=attempts)
            for call in source.profiles(currency_ids, {})
        ]
    )


PROFILES = Job(
    name="profiles",
    role=Role.PRICING,
    schedule=lambda _settings: Every(timedelta(minutes=5)),
    run=renew_profiles,
)

"""Profiles: supplies, tags and links of what the price polls cover, renewed when they are a day old.

What they cost: at CoinMarketCap a hundred currencies are two credits, one for tags and links and one for the supplies, and
one currency is two credits as well. 200 tracked ones are 4 credits a day, 120 a month. The job looks every minute, so that
a newcomer need not wait for long, and asks for those first that were never asked for. Before each hundred it must have kept
quiet for as long as polls of ten times the credits would, so all of it takes hardly more than a tenth of what polls may
spend of the month: with the free plan's 15,000 credits a newcomer waits for about an hour at most, a hundred others with
it. Where a budget is small, profiles grow older than a day.

No rate depends on profiles, so calls that fail close their source to nobody else.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared.domain.currency import Currency, CurrencyKind, CurrencyProfile, merged_profiles
from shared.domain.rate import MAX_AHEAD
from shared.domain.schedule import Every
from shared.domain.visit import VisitReason
from shared.errand import Deadline
from shared.errors import FreshrateError, NotTried, UpstreamMalformed, UpstreamRejected
from shared.messages import CatalogStored, Role
from shared.opening import World
from shared.ports import ProfileSource
from worker.announce import announce
from worker.catalog import PATIENCE, loaded_catalog
from worker.job import Job
from worker.plain_visit import PlainVisit, plain_visit
from worker.tracked import covered

log = structlog.get_logger(__name__)

OLDEST = timedelta(hours=24)
CHUNK = 100
"""Currencies of one visit: what one credit buys."""
MOST_AT_ONCE = 500
"""In one run: ten calls of CoinMarketCap's thirty a minute."""
SHARE = 10
"""See above: polls of so many times the credits give the pause."""
ASKED = "profiles asked"
"""Stands among the schedules: `done_at` is when credits were last spent."""
TIME_LIMIT = timedelta(seconds=40)
"""With the storing it fits into the job's lease."""
INTERVAL = timedelta(minutes=1)

Answers = Sequence[Mapping[int, CurrencyProfile]]


@dataclass(slots=True)
class _Run:
    """What came of one run."""

    renewed: int = 0
    credits: int = 0


async def renew_profiles(world: World, *, patience: timedelta = PATIENCE) -> datetime | None:
    """Done where nothing is due any more: neither held back by the budget, nor left for the next run, nor failed."""
    catalog = await loaded_catalog(world.storage, patience=patience)
    if not catalog:
        log.warning("no profiles before the catalog is loaded")
        return None
    started_at = world.clock()
    source = next((one for one in world.sources if isinstance(one, ProfileSource)), None)
    due = await _due(world, catalog)
    if source is None or not due:
        return started_at
    run = await _renew_in_chunks(world, source, due[:MOST_AT_ONCE])
    if run.renewed:
        log.info("profiles renewed", currencies=run.renewed, due=len(due))
        await announce(world.queue, [CatalogStored(currencies=len(catalog))])
    if run.credits:
        await world.storage.finish_tick(ASKED, now=world.clock(), done_at=started_at)
    return started_at if run.renewed == len(due) else None


async def _due(world: World, catalog: Sequence[Currency]) -> list[int]:
    """Of what the price polls cover: first what was never asked for."""
    now = world.clock()
    what = await covered(world, catalog, await world.storage.last_ranking(now=now))
    crypto = {one.id for one in catalog if one.kind is CurrencyKind.CRYPTO}
    return await world.storage.profiled_before(now - OLDEST, crypto.intersection(what.all), now=now)


async def _renew_in_chunks(world: World, source: ProfileSource, due: Sequence[int]) -> _Run:
    """As many as the month bears by now. Where an answer was bad nothing is known of its chunk, and the next one may be good
    all the same; any other failure would be that of the next one too."""
    run, deadline = _Run(), Deadline.within(TIME_LIMIT)
    quiet = await _quiet(world)
    for start in range(0, len(due), CHUNK):
        chunk = due[start : start + CHUNK]
        credits = run.credits + _credits(source, chunk)
        if quiet < await world.upstream.poll_interval(source, SHARE * credits):
            break
        try:
            await _renew(world, source, chunk, deadline, run)
        except NotTried as error:
            log.debug("no profiles asked for", error=str(error))
            break
        except FreshrateError as error:
            log.warning("profiles not renewed", currencies=len(chunk), error=str(error))
            if not isinstance(error, UpstreamRejected | UpstreamMalformed):
                break
    return run


async def _quiet(world: World) -> timedelta:
    """How long no credits were spent."""
    last = (await world.storage.schedule_state(ASKED)).done_at
    elapsed = timedelta.max if last is None else world.clock() - last
    # A clock that was far ahead when it was noted holds nobody back.
    return elapsed if elapsed >= -MAX_AHEAD else timedelta.max


def _credits(source: ProfileSource, currency_ids: Collection[int]) -> int:
    return sum(call.credits for call in source.profiles(currency_ids))


async def _renew(
    world: World, source: ProfileSource, chunk: Sequence[int], deadline: Deadline, run: _Run
) -> None:
    """What no answer tells of is taken for asked all the same, so that it waits for its turn, a day later."""
    calls = len(source.profiles(chunk))
    await world.upstream.require(source, calls=calls, credits=_credits(source, chunk), is_vital=False)
    async with plain_visit(world, source, f"profiles of {len(chunk)}", VisitReason.POLL) as visit:
        try:
            answers = await _asked(visit, source, chunk, deadline)
        finally:
            run.credits += visit.credits
        stored = await world.storage.descriptions(chunk)
        known = {one: description.profile for one, description in stored.items()}
        await world.storage.record_profiles(_renewed(chunk, answers, known), profiled_at=world.clock())
    run.renewed += len(chunk)


def _renewed(
    chunk: Sequence[int], answers: Answers, known: Mapping[int, CurrencyProfile]
) -> dict[int, CurrencyProfile]:
    """A currency that all the answers tell of gets what they say, and loses what they no longer say. One that is lacking in
    an answer keeps what is known wherever the others say nothing: a gap in an answer is no news."""
    told = merged_profiles(answers)
    whole = set(told).intersection(*answers)
    completed = merged_profiles([told, known])
    return {one: (told if one in whole else completed).get(one, CurrencyProfile()) for one in chunk}


async def _asked(
    visit: PlainVisit, source: ProfileSource, currency_ids: Sequence[int], deadline: Deadline
) -> Answers:
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
) -> Answers:
    return [
        await visit.ask(call, time_left=deadline.time_left(), attempts=1, is_vital=False)
        for call in source.profiles(currency_ids)
    ]


PROFILES = Job(
    name="profiles",
    role=Role.PRICING,
    schedule=lambda _settings: Every(INTERVAL),
    run=renew_profiles,
    retry=INTERVAL,
)

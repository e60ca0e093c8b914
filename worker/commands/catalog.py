"""RenewCatalog: somebody asks for a symbol that the catalog lacks, so the cryptocurrencies are renewed.

A source lists a new currency now and then, so a renewal that was made within the last minute serves the command, whoever
made it, and after one that failed nobody tries again before a minute is over. CoinMarketCap documents its map as free of
credits. Where a source bills a renewal all the same, that one serves commands for longer, so that renewals on demand take
no more than a twentieth of the month, whatever nonsense is asked for: a credit of the free plan's 15,000 is 64 minutes. All
workers keep to that, and restarts do not change it, as it is kept among the schedules.

A worker that is killed in a renewal leaves its claim, which is short: whoever takes up the command waits for its end, and
renews. Should the first one be alive after all, the source is visited twice.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from shared.domain.currency import CurrencyKind
from shared.domain.rate import MAX_AHEAD
from shared.domain.schedule import ScheduleState
from shared.domain.visit import VisitReason
from shared.errand import Deadline, failure_of
from shared.errors import DeadlineExceeded, FreshrateError, NotTried
from shared.messages import Fact, RefreshFailed, RenewCatalog
from shared.opening import World
from worker.catalog_visit import ON_DEMAND, PAUSE, catalog_stored, end_claim, visit_catalog

log = structlog.get_logger(__name__)

SHORTEST_INTERVAL = timedelta(seconds=60)
"""Between two renewals."""
LEASE = timedelta(seconds=3)
"""Of a claim: as long as a worker that was killed counts as alive, so who takes up its command need not wait."""
CHECK = 0.1
"""Seconds between two looks whether another worker has ended its renewal."""


class CatalogRenewal:
    """The handler."""

    kind = RenewCatalog

    async def execute(
        self, commands: Sequence[RenewCatalog], world: World, *, time_left: timedelta
    ) -> list[Fact]:
        command_ids = tuple(command.id for command in commands)
        try:
            await _renew(world, Deadline.within(time_left))
            return [await catalog_stored(world, command_ids)]
        except FreshrateError as error:
            failure = failure_of(None, error)
        log.warning("catalog not renewed on demand", detail=failure.detail)
        return [RefreshFailed(command_id=one, failures=(failure,)) for one in command_ids]


async def _renew(world: World, deadline: Deadline) -> None:
    """Returns where the cryptocurrencies are renewed, or were just before. Else raises why not."""
    while deadline.time_left():
        # In this order: a pause is noted after the success that it belongs to.
        pause = await world.storage.schedule_state(PAUSE)
        state = await world.storage.schedule_state(ON_DEMAND)
        now = world.clock()
        if state.done_at and -MAX_AHEAD <= now - state.done_at < SHORTEST_INTERVAL:
            return
        if _rest(state, now):
            await asyncio.sleep(CHECK)
            continue
        if rest := _rest(pause, now):
            if _is_followed_by_success(pause, state):
                return
            raise NotTried(
                "A renewal of the catalog has failed just before.", retry_after=rest.total_seconds()
            )
        if await world.storage.claim_tick(state, due=now, until=now + LEASE):
            await _visit(world, deadline)
            return
    raise DeadlineExceeded


async def _visit(world: World, deadline: Deadline) -> None:
    """A stop that cuts it short is no attempt that failed: the command goes on to another worker."""
    try:
        failure = await visit_catalog(
            world, CurrencyKind.CRYPTO, reason=VisitReason.REFRESH, time_left=deadline.time_left()
        )
    finally:
        await end_claim(world, done_at=None)
    if failure:
        raise failure


def _rest(claim: ScheduleState, now: datetime) -> timedelta:
    """How long it still holds. One that begins far ahead comes from a clock that was ahead."""
    begin, end = claim.claimed_for, claim.claimed_until
    if begin is None or end is None or begin > now + MAX_AHEAD:
        return timedelta(0)
    return max(timedelta(0), end - now)


def _is_followed_by_success(pause: ScheduleState, state: ScheduleState) -> bool:
    return bool(state.done_at and pause.claimed_for and state.done_at >= pause.claimed_for)

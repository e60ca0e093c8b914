"""The ranking poll: the order of the top, with the prices that come along."""

from datetime import datetime, timedelta

import structlog

from shared.domain.visit import VisitReason
from shared.errors import FreshrateError
from shared.messages import Role
from shared.opening import World
from shared.visitor import facts_of
from worker.announce import announce
from worker.catalog import PATIENCE
from worker.job import Job
from worker.pace import pace_of_rankings, spared_sources
from worker.ranking_visit import length_of_polls, visit_ranking

log = structlog.get_logger(__name__)

TIME_LIMIT = timedelta(seconds=40)
NEWCOMERS_TIME = timedelta(seconds=10)
"""With the storing both fit into the job's lease."""


async def poll_ranking(world: World) -> datetime | None:
    started_at = world.clock()
    before = await world.storage.last_ranking(now=world.clock())
    report = await visit_ranking(
        world,
        length_of_polls(world.settings),
        reason=VisitReason.POLL,
        asked_at=started_at,
        time_left=TIME_LIMIT,
        patience=PATIENCE,
        spared=await spared_sources(world),
    )
    await announce(world.queue, report.facts())
    if report.ranking is None:
        log.warning("no ranking polled", detail=report.failure.detail if report.failure else None)
        return None
    log.info(
        "ranking polled",
        source=report.ranking.source,
        places=len(report.ranking.currency_ids),
        rates=len(report.recorded),
    )
    known = before.currency_ids if before else ()
    newcomers = set(report.ranking.currency_ids[: world.settings.tracked_top]).difference(known)
    try:
        await _price_newcomers(world, newcomers)
    except FreshrateError as error:
        log.warning("newcomers not priced", error=str(error))
    return started_at


async def _price_newcomers(world: World, newcomers: set[int]) -> None:
    """Those of the top that no visit has ever brought a price of: the next price poll would, but a list shows them now."""
    priced = {rate.currency_id for rate in await world.storage.last_rates(newcomers)}
    if newcomers - priced:
        visit = await world.visitor.visit(
            newcomers - priced, reason=VisitReason.POLL, asked_at=world.clock(), time_left=NEWCOMERS_TIME
        )
        await announce(world.queue, facts_of(visit))


RANKING = Job(
    name="ranking",
    role=Role.RANKING,
    schedule=lambda settings: settings.ranking_schedule,
    run=poll_ranking,
    pace=pace_of_rankings,
)

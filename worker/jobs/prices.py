"""The price poll: what is tracked, in as few credits as possible."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import structlog

from shared.domain.visit import VisitReason
from shared.messages import Role
from shared.opening import World
from shared.visitor import VisitReport, facts_of
from worker.announce import announce
from worker.catalog import PATIENCE, loaded_catalog
from worker.job import Job
from worker.pace import pace_of_prices, plan_of_prices

log = structlog.get_logger(__name__)

TIME_LIMIT = timedelta(seconds=25)
"""Of a visit; two of them fit into the job's lease."""


async def poll_prices(world: World, *, patience: timedelta = PATIENCE) -> datetime | None:
    """One poll. A named currency that has slipped out of the listing since yesterday is asked for by id.

    All is covered where a source answered for each currency that some source knows; that it has no rate of one is an
    answer too.
    """
    catalog = await loaded_catalog(world.storage, patience=patience)
    if not catalog:
        log.warning("no poll before the catalog is loaded")
        return None
    started_at = world.clock()
    what = (await plan_of_prices(world, catalog)).what
    if not what.all:
        return started_at
    report = await _visit(world, what.all, ranks=what.ranks, known=what.known)
    unanswered = report.unanswered
    failed = {failure.currency_id for failure in report.failures}
    slipped = (what.named & what.top - unanswered).intersection(failed)
    if slipped:
        unanswered |= (await _visit(world, slipped, ranks={}, known=())).unanswered
    log.info("polled", rates=len(report.recorded), missed=len(report.failures), unanswered=len(unanswered))
    return None if unanswered else started_at


async def _visit(
    world: World, currency_ids: Collection[int], *, ranks: Mapping[int, int], known: Collection[int]
) -> VisitReport:
    report = await world.visitor.visit(
        currency_ids,
        reason=VisitReason.POLL,
        asked_at=world.clock(),
        time_left=TIME_LIMIT,
        ranks=ranks,
        known=known,
    )
    for failure in report.failures:
        log.debug("rate missed", currency=failure.currency_id, detail=failure.detail)
    await announce(world.queue, facts_of(report))
    return report


PRICES = Job(
    name="prices",
    role=Role.PRICING,
    schedule=lambda settings: settings.price_schedule,
    run=poll_prices,
    pace=pace_of_prices,
)

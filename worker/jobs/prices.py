"""The price poll: what is tracked and what is in demand, in as few credits as possible."""

from datetime import datetime, timedelta

import structlog

from shared.messages import Role
from shared.opening import World
from worker.catalog import PATIENCE, loaded_catalog
from worker.job import Job
from worker.pace import pace_of_prices, plan_of_prices
from worker.poll import poll

log = structlog.get_logger(__name__)


async def poll_prices(world: World, *, patience: timedelta = PATIENCE) -> datetime | None:
    """One poll. A named currency that has slipped out of the listing since yesterday is asked for by id."""
    catalog = await loaded_catalog(world.storage, patience=patience)
    if not catalog:
        log.warning("no poll before the catalog is loaded")
        return None
    started_at = world.clock()
    what = (await plan_of_prices(world, catalog)).what
    if not what.all:
        return started_at
    report = await poll(world, what.all, ranks=what.ranks, known=what.known)
    unanswered = report.unanswered
    failed = {failure.currency_id for failure in report.failures}
    slipped = (what.named & what.top - unanswered).intersection(failed)
    if slipped:
        unanswered |= (await poll(world, slipped)).unanswered
    log.info("polled", rates=len(report.recorded), missed=len(report.failures), unanswered=len(unanswered))
    return None if unanswered else started_at


PRICES = Job(
    name="prices",
    role=Role.PRICING,
    schedule=lambda settings: settings.price_schedule,
    run=poll_prices,
    pace=pace_of_prices,
)

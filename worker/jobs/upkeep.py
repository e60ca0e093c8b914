"""Upkeep of the store: partitions for the months to come; visits, and demand, older than 30 days forgotten; and the deals of a
replaced upload, where the process that replaced it died before it could delete them."""

from datetime import datetime, timedelta

import structlog

from shared.domain.schedule import Every
from shared.messages import Role
from shared.opening import World
from worker.job import Job

log = structlog.get_logger(__name__)

VISITS_KEPT = timedelta(days=30)
DEMAND_KEPT = timedelta(days=30)
"""As long as WARM_HOURS may be."""


async def keep_up(world: World) -> datetime | None:
    now = world.clock()
    await world.storage.prepare_partitions(now=now)
    forgotten = await world.storage.forget_visits(before=now - VISITS_KEPT)
    no_longer_asked = await world.storage.forget_demand(before=now - DEMAND_KEPT)
    replaced = await world.storage.forget_replaced_deals()
    log.info(
        "upkeep done",
        visits_forgotten=forgotten,
        demand_forgotten=no_longer_asked,
        deals_forgotten=replaced,
    )
    return now


UPKEEP = Job(
    name="upkeep",
    role=Role.PRICING,
    schedule=lambda _settings: Every(timedelta(hours=6)),
    run=keep_up,
    retry=timedelta(minutes=5),
    lease=timedelta(minutes=5),
)

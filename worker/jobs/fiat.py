"""The poll of fiat currencies: all that are active, in one visit.

The fiat source is asked first and costs no credits. What it does not know, or does not give, is asked of SOURCES: some 60
currencies, a credit of CoinMarketCap.
"""

from datetime import datetime, timedelta

import structlog

from shared.domain.currency import CurrencyKind
from shared.messages import Role
from shared.opening import World
from worker.catalog import PATIENCE, loaded_catalog
from worker.job import Job
from worker.pace import pace_of_fiats
from worker.poll import poll
from worker.tracked import fiats

log = structlog.get_logger(__name__)


async def poll_fiats(world: World, *, patience: timedelta = PATIENCE) -> datetime | None:
    """One poll. The dollar is 1 by definition, and is not asked for."""
    catalog = await loaded_catalog(world.storage, kind=CurrencyKind.FIAT, patience=patience)
    if not catalog:
        log.warning("no poll of fiat currencies before the catalog is loaded")
        return None
    started_at = world.clock()
    report = await poll(world, fiats(catalog))
    log.info(
        "fiat currencies polled",
        rates=len(report.recorded),
        missed=len(report.failures),
        unanswered=len(report.unanswered),
    )
    return None if report.unanswered else started_at


FIAT = Job(
    name="fiat",
    role=Role.PRICING,
    schedule=lambda settings: settings.fiat_schedule,
    run=poll_fiats,
    pace=pace_of_fiats,
)

"""The catalog: every active currency and every fiat currency, at first start and daily."""

from datetime import datetime, timedelta

from shared.domain.currency import CurrencyKind
from shared.domain.schedule import Every
from shared.domain.visit import VisitReason
from shared.messages import Role
from shared.opening import World
from worker.announce import announce
from worker.catalog_visit import catalog_stored, visit_catalog
from worker.job import Job

KINDS = (CurrencyKind.CRYPTO, CurrencyKind.FIAT)
TIME_LIMIT = timedelta(seconds=30)
"""For each kind; both fit into the job's lease."""


async def renew_catalog(world: World) -> datetime | None:
    """Renews both kinds, each from the first source that has it."""
    started_at = world.clock()
    failures = []
    for kind in KINDS:
        failure = await visit_catalog(world, kind, reason=VisitReason.POLL, time_left=TIME_LIMIT)
        failures.append(failure)
        if failure is None:  # Told at once: the next kind may take as long as its source hangs.
            await announce(world.queue, [await catalog_stored(world)])
    return None if any(failures) else started_at


CATALOG = Job(
    name="catalog",
    role=Role.PRICING,
    schedule=lambda _settings: Every(timedelta(days=1)),
    run=renew_catalog,
    lease=timedelta(seconds=120),
)

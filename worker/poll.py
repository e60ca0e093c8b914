"""A poll of prices: what every scheduled job does with a visit of the sources."""

from collections.abc import Collection, Mapping
from datetime import timedelta

import structlog

from shared.domain.visit import VisitReason
from shared.opening import World
from shared.visitor import VisitReport, facts_of
from worker.announce import announce

log = structlog.get_logger(__name__)

TIME_LIMIT = timedelta(seconds=25)
"""Of a visit; two of them fit into a job's lease."""


async def poll(
    world: World,
    currency_ids: Collection[int],
    *,
    ranks: Mapping[int, int] | None = None,
    known: Collection[int] = (),
) -> VisitReport:
    """Visits the sources, and announces what was stored. All is covered where nothing is left `unanswered`: a source answered
    for each currency that some source knows, and that it has no rate of one is an answer too."""
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

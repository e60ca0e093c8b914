"""RefreshRates: the sources are visited for the currencies of all commands together."""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from shared.domain.visit import VisitReason
from shared.errors import FreshrateError
from shared.messages import Fact, RefreshFailed, RefreshRates
from shared.opening import World
from shared.visit_journal import told
from shared.visitor import VisitReport, facts_of
from worker.commands.handler import asked_at

log = structlog.get_logger(__name__)

MANY = 100
"""A command for more currencies than this may be served by a listing: that is where it begins to be cheaper than quotes."""


class RatesRefresh:
    """The handler."""

    kind = RefreshRates

    async def execute(
        self, commands: Sequence[RefreshRates], world: World, *, time_left: timedelta
    ) -> list[Fact]:
        report = await world.visitor.visit(
            {currency_id for command in commands for currency_id in command.currency_ids},
            reason=VisitReason.REFRESH,
            asked_at=asked_at(commands, world.clock),
            time_left=time_left,
            ranks=await _ranks(commands, world),
        )
        log.info(
            "refreshed",
            currencies=len(report.recorded) + len(report.failures),
            recorded=len(report.recorded),
            failures=told((one.currency_id, one.detail) for one in report.failures),
        )
        return [*facts_of(report, [command.id for command in commands]), *_failures(commands, report)]


async def _ranks(commands: Sequence[RefreshRates], world: World) -> dict[int, int]:
    """Of the currencies that only long commands ask for. A listing is cut by the ranks of now, so it may miss one that
    has slipped below its end since the catalog was renewed: a list bears that, a client who asked for just this one does
    not."""
    long = {one for command in commands if len(command.currency_ids) > MANY for one in command.currency_ids}
    for command in commands:
        if len(command.currency_ids) <= MANY:
            long.difference_update(command.currency_ids)
    if not long:
        return {}
    try:
        catalog = await world.storage.catalog()
    except FreshrateError as error:
        log.warning("no ranks: quotes are asked for", error=str(error))
        return {}
    return {one.id: one.rank for one in catalog if one.id in long and one.rank is not None}


def _failures(commands: Sequence[RefreshRates], report: VisitReport) -> list[RefreshFailed]:
    by_currency = {failure.currency_id: failure for failure in report.failures}
    facts = []
    for command in commands:
        failures = tuple(by_currency[one] for one in command.currency_ids if one in by_currency)
        if failures:
            facts.append(RefreshFailed(command_id=command.id, failures=failures))
    return facts

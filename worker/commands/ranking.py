"""RefreshRanking: one visit of the longest length serves all commands that wait."""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from shared.domain.visit import VisitReason
from shared.messages import Fact, RefreshFailed, RefreshRanking
from shared.opening import World
from worker.commands.handler import asked_at
from worker.ranking_visit import length_of, visit_ranking

log = structlog.get_logger(__name__)


class RankingRefresh:
    """The handler."""

    kind = RefreshRanking

    async def execute(
        self, commands: Sequence[RefreshRanking], world: World, *, time_left: timedelta
    ) -> list[Fact]:
        report = await visit_ranking(
            world,
            length_of(max(command.length for command in commands)),
            reason=VisitReason.REFRESH,
            asked_at=asked_at(commands, world.clock),
            time_left=time_left,
        )
        if report.failure:
            log.warning("ranking not refreshed", detail=report.failure.detail)
            ends = [RefreshFailed(command_id=command.id, failures=(report.failure,)) for command in commands]
            return [*report.facts(), *ends]
        log.info("ranking refreshed", rates=len(report.recorded))
        return report.facts([command.id for command in commands])

"""A visit that brings no rates: it is asked, kept and journaled as one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.errors import FreshrateError
from shared.opening import World
from shared.ports import Call, Source
from shared.visit_journal import VisitJournal

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(slots=True)
class PlainVisit:
    """The calls of one visit."""

    _world: World
    _journal: VisitJournal
    _source: Source
    _reason: VisitReason
    credits: int = 0
    """Of the calls that were answered."""

    async def ask(self, call: Call[T], *, time_left: timedelta, attempts: int, is_vital: bool = True) -> T:
        """Raises as `Upstream.ask`."""
        with self._journal.asking(self._source, call.what, self._reason) as span:
            reply = await self._world.upstream.ask(
                self._source, call, time_left=time_left, attempts=attempts, is_vital=is_vital
            )
            span.note({"credits": reply.credits, "attempts": reply.attempts})
        self.credits += reply.credits
        return reply.value


@asynccontextmanager
async def plain_visit(
    world: World, source: Source, what: str, reason: VisitReason
) -> AsyncIterator[PlainVisit]:
    """Around the calls, and the storing of what they brought: what is raised in it is the visit's end, and goes on."""
    journal = VisitJournal(storage=world.storage, clock=world.clock, meters=world.meters)
    visit = PlainVisit(world, journal, source, reason)
    started_at = world.clock()
    try:
        yield visit
    except FreshrateError as error:
        await journal.record_failure(
            source, what, reason, started_at=started_at, error=error, credits=visit.credits
        )
        raise
    world.meters.count(source.name, reason, VisitOutcome.DONE)
    done = Visit(
        source=source.name,
        reason=reason,
        what=what,
        started_at=started_at,
        duration=world.clock() - started_at,
        outcome=VisitOutcome.DONE,
        credits=visit.credits,
        rates_stored=0,
    )
    try:
        await world.storage.record_visit(done)
    except FreshrateError as error:
        log.warning("visit not journaled", source=source.name, error=str(error))

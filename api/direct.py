"""Visits that this process makes itself, without queue or worker, for `/services/requestcurrency/`.

Whoever asks for a currency whose visit is under way shares it. What it brings is announced to everybody, where the
queue answers; the answer does not wait for that.
"""

import asyncio
import copy
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from api.errors import error_of
from api.flight import Outcome
from api.memory import RateMemory
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.domain.visit import VisitReason
from shared.errors import DeadlineExceeded, QueueUnavailable
from shared.ports import Queue
from shared.visitor import VisitReport, facts_of

log = structlog.get_logger(__name__)

ANNOUNCE_SECONDS = 2.0
GRACE = 0.2
"""Seconds that a visit may take past its limit to report."""


class RateVisitor(Protocol):
    """The one job behind polls, commands and direct visits."""

    async def visit(
        self,
        currency_ids: Collection[int],
        *,
        reason: VisitReason,
        asked_at: datetime,
        time_left: timedelta,
    ) -> VisitReport: ...


class DirectVisits:
    """The visits under way, by currency."""

    def __init__(
        self, *, visitor: RateVisitor, queue: Queue, memory: RateMemory, clock: Clock, timeout: float
    ) -> None:
        self._visitor = visitor
        self._queue = queue
        self._memory = memory
        self._clock = clock
        self._timeout = timeout
        self._visits: dict[int, asyncio.Task[Outcome]] = {}
        self._announcements: set[asyncio.Task[None]] = set()

    async def visit(self, currency_id: int) -> Rate:
        """A rate fetched now, committed. Raises UpstreamError, NotTried, StorageUnavailable or DeadlineExceeded."""
        task = self._visits.get(currency_id)
        if task is None:
            task = asyncio.create_task(self._visit(currency_id), name="direct visit")
            self._visits[currency_id] = task
            task.add_done_callback(lambda _task: self._visits.pop(currency_id, None))
        outcome = await asyncio.shield(task)
        if isinstance(outcome, Rate):
            return outcome
        raise copy.copy(outcome)

    async def close(self) -> None:
        tasks = [*self._visits.values(), *self._announcements]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _visit(self, currency_id: int) -> Outcome:
        try:
            async with asyncio.timeout(self._timeout + GRACE):
                report = await self._visitor.visit(
                    [currency_id],
                    reason=VisitReason.DIRECT,
                    asked_at=self._clock(),
                    time_left=timedelta(seconds=self._timeout),
                )
        except TimeoutError:
            return DeadlineExceeded()
        rates = [one.rate for one in report.recorded]
        self._memory.learn(rates, prolong=True)
        self._announce(report)
        for rate in rates:
            if rate.currency_id == currency_id:
                return rate
        return error_of(report.failures[0]) if report.failures else DeadlineExceeded()

    def _announce(self, report: VisitReport) -> None:
        task = asyncio.create_task(self._tell(report), name="announcement")
        self._announcements.add(task)
        task.add_done_callback(self._announcements.discard)

    async def _tell(self, report: VisitReport) -> None:
        try:
            async with asyncio.timeout(ANNOUNCE_SECONDS):
                await self._queue.announce(facts_of(report))
        except (QueueUnavailable, TimeoutError) as error:
            log.warning("direct visit not announced", error=str(error) or "no answer in time")

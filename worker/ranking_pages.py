"""The pages of a ranking, asked for side by side within what the source takes."""

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import datetime
from typing import Any, TypeVar

import structlog

from shared.domain.allowance import FAILURES_TO_OPEN
from shared.domain.ranking import RankedCoin, RankingPage, merged
from shared.errand import Deadline, weightier
from shared.errors import FreshrateError, RankingTorn
from shared.ports import Call, RankingSource
from shared.upstream import Reply, Upstream

log = structlog.get_logger(__name__)
T = TypeVar("T")

_PERIOD = 1.0
"""Seconds in which a source takes `pages_per_second` pages."""


class RankingPages:
    """The pages of one ranking, and what they cost."""

    def __init__(
        self, upstream: Upstream, source: RankingSource, length: int, *, deadline: Deadline, attempts: int
    ) -> None:
        self._upstream = upstream
        self._source = source
        self._length = length
        self._deadline = deadline
        self._attempts = attempts
        self._may_go_on = 0.0
        """By the loop's clock."""
        self.credits = 0
        self.calls = 0
        self.answered_at: datetime | None = None
        """When the last one was answered."""

    async def merged(self) -> tuple[tuple[RankedCoin, ...], bool]:
        """A list that was torn between two pages is asked for once more: the order does not change that often."""
        try:
            return merged(await self._all(), self._length)
        except RankingTorn:
            log.info("ranking torn between its pages", source=self._source.name, length=self._length)
            return merged(await self._all(), self._length)

    async def _all(self) -> list[RankingPage]:
        """As many at once as the source takes in a second, and the next ones when that is over. Where the
        breaker lets one call through only, the first page goes ahead alone."""
        loop = asyncio.get_running_loop()
        calls = self._source.ranking(self._length)
        at_once = self._source.pages_per_second
        pages: list[RankingPage] = []
        if await self._is_on_probation():
            pages.append((await self._asked(calls.pop(0))).value)
            if not pages[-1].is_full:
                return pages
        for start in range(0, len(calls), at_once):
            await asyncio.sleep(max(0.0, self._may_go_on - loop.time()))
            self._may_go_on = loop.time() + _PERIOD
            asked = map(self._asked, calls[start : start + at_once])
            pages.extend(reply.value for reply in await _side_by_side(asked))
            if not pages[-1].is_full:
                break
        return pages

    async def _is_on_probation(self) -> bool:
        await self._upstream.look_up(self._source)
        allowance = self._upstream.known(self._source)
        return allowance is not None and allowance.failures >= FAILURES_TO_OPEN

    async def _asked(self, call: Call[RankingPage]) -> Reply[RankingPage]:
        reply = await self._upstream.ask(
            self._source, call, time_left=self._deadline.time_left(), attempts=self._attempts
        )
        self.calls += 1
        self.credits += reply.credits
        self.answered_at = max(self.answered_at or reply.answered_at, reply.answered_at)
        return reply


async def _side_by_side(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """One failure fails them all, but each is seen to its end: a call that is broken off would leave its credit spent, and the
    breaker without an answer. Raises the failure that tells most."""
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    failure: FreshrateError | None = None
    for outcome in outcomes:
        if isinstance(outcome, FreshrateError):
            failure = weightier(failure, outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
    if failure is not None:
        raise failure
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]

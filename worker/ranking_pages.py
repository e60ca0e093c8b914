"""The pages of a ranking, asked for side by side within what the source takes."""

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import datetime
from typing import Any, TypeVar

import structlog

from shared.domain.ranking import RankedCoin, RankingPage, merged
from shared.errand import Deadline, weightier
from shared.errors import FreshrateError, NotTried, RankingTorn
from shared.ports import Call, RankingSource
from shared.upstream import Reply, Upstream

log = structlog.get_logger(__name__)
T = TypeVar("T")


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
        self.credits = 0
        self.calls = 0
        self.answered_at: datetime | None = None
        """When the last one was answered."""

    async def merged(self) -> tuple[tuple[RankedCoin, ...], bool]:
        """A list that was torn between two pages is asked for once more: the order does not change that often."""
        try:
            return merged(await self._all(), self._length)
        except RankingTorn as torn:
            log.info("ranking torn between its pages", source=self._source.name, length=self._length)
            try:
                return merged(await self._all(), self._length)
            except NotTried as refusal:
                raise torn from refusal

    async def _all(self) -> list[RankingPage]:
        """As many at once as the source takes in a second, and the next ones where these are full. Where the breaker lets
        one call through only, the first page goes ahead alone. Where not all can be asked for, none is."""
        calls = self._source.ranking(self._length)
        allowance = await self._upstream.require(
            self._source, calls=len(calls), credits=sum(call.credits for call in calls)
        )
        # One call needs no turn: the minute's budget is enough.
        at_once = self._source.pages_per_second
        per_second = at_once if len(calls) > 1 else 0
        pages: list[RankingPage] = []
        if allowance.is_on_probation:
            pages.append((await self._asked(calls.pop(0), per_second)).value)
            if not pages[-1].is_full:
                return pages
        for start in range(0, len(calls), at_once):
            asked = [self._asked(call, per_second) for call in calls[start : start + at_once]]
            pages.extend(reply.value for reply in await _side_by_side(asked))
            if not pages[-1].is_full:
                break
        return pages

    async def _asked(self, call: Call[RankingPage], per_second: int) -> Reply[RankingPage]:
        reply = await self._upstream.ask(
            self._source,
            call,
            time_left=self._deadline.time_left(),
            attempts=self._attempts,
            per_second=per_second,
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

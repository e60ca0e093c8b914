"""One visit under way: what is being asked for, how much time is left, and what came of it so far."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from shared.domain.rate import RecordedRate
from shared.domain.visit import Failure, FailureKind, VisitReason
from shared.errors import (
    DeadlineExceeded,
    FreshrateError,
    RateMissing,
    RetryableError,
    StorageUnavailable,
    UpstreamError,
)

SHORTEST_SHARE = timedelta(seconds=2.5)
"""Less time is no fair chance for a source: what it does with that is not held against it."""
_ATTEMPTS = {VisitReason.POLL: 3, VisitReason.REFRESH: 2, VisitReason.DIRECT: 2}
"""Nobody waits for a poll, so it may try longer; whoever waits is better served by the next source, where there is one."""


def attempts_for(reason: VisitReason, *, sources_left: int) -> int:
    """How often a source may be asked; `sources_left`: with this one."""
    return 1 if reason is not VisitReason.POLL and sources_left > 1 else _ATTEMPTS[reason]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by the loop's clock."""

    at: float

    @classmethod
    def within(cls, time_left: timedelta) -> Self:
        return cls(asyncio.get_running_loop().time() + time_left.total_seconds())

    def time_left(self) -> timedelta:
        return timedelta(seconds=max(0.0, self.at - asyncio.get_running_loop().time()))

    def time_for_one_of(self, sources: int) -> timedelta:
        """So that a source that hangs leaves time for the next ones."""
        left = self.time_left()
        return min(left, max(left / sources, SHORTEST_SHARE))


@dataclass(slots=True)
class Errand:
    """What several calls to several sources share."""

    wanted: set[int]
    known: Collection[int]
    reason: VisitReason
    asked_at: datetime
    ranks: Mapping[int, int]
    deadline: Deadline
    recorded: list[RecordedRate] = field(default_factory=list)
    errors: dict[int, FreshrateError] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    """Currencies that some source answered for, if only that it has none."""
    unknown: dict[int, RateMissing] = field(default_factory=dict)
    """Currencies that some source could not be asked for, as it does not know them."""

    def answer(self, currency_ids: Collection[int], error: RateMissing) -> None:
        """A source answered, and has no usable rate of these."""
        self.answered |= set(currency_ids)
        self.note(currency_ids, error)

    def note(self, currency_ids: Collection[int], error: FreshrateError) -> None:
        for currency_id in currency_ids:
            self.errors[currency_id] = weightier(self.errors.get(currency_id), error)

    def pass_over(self, currency_ids: Collection[int], error: RateMissing) -> None:
        """A source does not know these. What comes of asking another one says more, whatever it is."""
        self.unknown |= dict.fromkeys(currency_ids, error)

    def failures(self) -> tuple[Failure, ...]:
        open_ones = self.unanswered()
        return tuple(
            replace(
                failure_of(one, self.errors.get(one) or self.unknown.get(one)),
                is_answered=one not in open_ones,
            )
            for one in sorted(self.wanted)
        )

    def unanswered(self) -> frozenset[int]:
        """Of those still wanted the ones for which a source could have had an answer, and gave none."""
        known_to_nobody = self.unknown.keys() - self.errors.keys()
        return frozenset(self.wanted - self.answered - known_to_nobody)


def weightier(known: FreshrateError | None, error: FreshrateError) -> FreshrateError:
    """The one to tell. A visit that failed says more than one that was not made, so it is not overwritten by one."""
    if isinstance(known, UpstreamError) and not isinstance(error, UpstreamError):
        return known
    return error


def failure_of(currency_id: int | None, error: FreshrateError | None) -> Failure:
    """`error`: None where the time was up."""
    if error is None or isinstance(error, DeadlineExceeded):
        return Failure(
            currency_id=currency_id,
            kind=FailureKind.DEADLINE,
            detail="The time was up before a source answered.",
        )
    return Failure(
        currency_id=currency_id,
        kind=_kind_of(error),
        detail=str(error),
        retry_after=error.retry_after if isinstance(error, RetryableError) else None,
    )


def _kind_of(error: FreshrateError) -> FailureKind:
    if isinstance(error, UpstreamError):
        return FailureKind.VISITED
    return FailureKind.DATABASE_AWAY if isinstance(error, StorageUnavailable) else FailureKind.NOT_TRIED

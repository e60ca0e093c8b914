"""One visit under way: what is being asked for, and what came of it so far."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.rate import RecordedRate
from shared.domain.visit import VisitReason
from shared.errors import FreshrateError, RateMissing, UpstreamError

SHORTEST_SHARE = timedelta(seconds=2.5)
"""Less time is no fair chance for a source: what it does with that is not held against it."""


@dataclass(slots=True)
class Errand:
    """What several calls to several sources share."""

    wanted: set[int]
    known: Collection[int]
    reason: VisitReason
    asked_at: datetime
    ranks: Mapping[int, int]
    deadline: float
    recorded: list[RecordedRate] = field(default_factory=list)
    errors: dict[int, FreshrateError] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    """Currencies that some source answered for, if only that it has none."""

    def time_left(self) -> timedelta:
        return timedelta(seconds=max(0.0, self.deadline - asyncio.get_running_loop().time()))

    def time_for_one_of(self, sources: int) -> timedelta:
        """So that a source that hangs leaves time for the next ones."""
        left = self.time_left()
        return min(left, max(left / sources, SHORTEST_SHARE))

    def answer(self, currency_ids: Collection[int], error: RateMissing) -> None:
        """A source answered, and has no usable rate of these."""
        self.answered |= set(currency_ids)
        self.note(currency_ids, error)

    def note(self, currency_ids: Collection[int], error: FreshrateError) -> None:
        """A visit that failed says more than one that was not made, so it is not overwritten by one."""
        for currency_id in currency_ids:
            if isinstance(error, UpstreamError) or not isinstance(
                self.errors.get(currency_id), UpstreamError
            ):
                self.errors[currency_id] = error

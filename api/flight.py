"""One refresh of one thing on its way, shared by everybody in this process who waits for it."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from shared.domain.rate import Rate
from shared.errors import FreshrateError

Key = TypeVar("Key")
Thing = TypeVar("Thing")

Outcome = Rate | FreshrateError


@dataclass(slots=True, eq=False, kw_only=True)
class Flight(Generic[Key, Thing]):
    """Ends exactly once: with the thing, or with the reason why there is none."""

    key: Key
    """What is wanted: a currency's id, the length of a ranking, or the catalog."""
    request_id: str
    traceparent: str
    """The span of that request, or nothing."""
    command_id: str
    """The command that it depends on: its own, or that of whoever holds the claim."""
    floor: datetime
    """When it was asked for: whatever was fetched since ends it."""
    deadline: float
    """By the loop's clock."""
    ended: "asyncio.Future[Thing | FreshrateError]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future(), repr=False
    )
    """An outcome, not an exception, so one that nobody waits for any more is no error."""
    brought: list[tuple[Collection[str], Thing]] = field(default_factory=list, repr=False)
    """What visits for other commands brought since, fetched before `floor`: it may yet turn out to depend on one."""
    timers: list[asyncio.TimerHandle] = field(default_factory=list, repr=False)

    @property
    def is_over(self) -> bool:
        return self.ended.done()

    @property
    def time_left(self) -> float:
        """Seconds; may be negative."""
        return self.deadline - asyncio.get_running_loop().time()

    def end(self, outcome: Thing | FreshrateError) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
        if not self.ended.done():
            self.ended.set_result(outcome)

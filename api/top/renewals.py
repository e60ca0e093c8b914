"""Renewals of the list of now: many ask, one goes, and while the list is in demand nobody waits.

A list in demand (asked for within the last TTL) is renewed from a timer, ahead of its age. One that is due when somebody
asks is renewed while they wait. What failed is tried again in the background as long as the list is in demand, and who
asks meanwhile gets what is known at once.

Lists are renewed by classes of length: a source's credit is so many places, so a shorter list costs the same.
"""

import asyncio
import copy
import random
from dataclasses import dataclass

import structlog

from api.errors import problem_of
from api.metrics import TopMetrics
from api.top.current import CurrentTop
from api.top.renewal import RENEWED_WITH, TopRenewal
from shared.domain.times import Clock
from shared.errors import FreshrateError, RetryableError

log = structlog.get_logger(__name__)

CLASS = 200
"""Places of one class of length: so many make a credit of CoinMarketCap."""
AHEAD = 0.25
"""Share of the TTL by which a list in demand is renewed before it is due."""
RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 60.0
COLD_RETRY_SECONDS = 1.0
"""While there is no list at all."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_PAUSES_PER_TTL = 200


@dataclass(slots=True, eq=False)
class _Demand:
    """For lists of one class. Times in seconds since 1970."""

    length: int
    limit: int = 0
    """The longest list that was asked for."""
    asked_at: float = 0.0
    ahead: float = AHEAD
    flight: asyncio.Task[None] | None = None
    waiting: int = 0
    """Clients."""
    failure: FreshrateError | None = None
    """Why the last renewal did not bring what was due."""
    rests_until: float = 0.0
    """No other renewal before."""


class TopRenewals:
    """The renewals of this process."""

    def __init__(
        self,
        *,
        current: CurrentTop,
        renewal: TopRenewal,
        clock: Clock,
        ttl: float,
        metrics: TopMetrics,
    ) -> None:
        """`ttl`: seconds."""
        self._current = current
        self._renewal = renewal
        self._clock = clock
        self._ttl = ttl
        self._pause = min(max(ttl / _PAUSES_PER_TTL, _SHORTEST_PAUSE), _LONGEST_PAUSE)
        self._metrics = metrics
        self._demands: dict[int, _Demand] = {}
        self._pulse: asyncio.Task[None] | None = None
        self._is_closed = False

    def note_demand(self, limit: int, now: float) -> None:
        """Somebody asked for a list of so many places."""
        length = -(-limit // CLASS) * CLASS
        demand = self._demands.get(length)
        if demand is None:
            demand = self._demands[length] = _Demand(length)
        demand.asked_at = now
        demand.limit = max(demand.limit, limit)
        if self._pulse is None and not self._is_closed:
            self._pulse = asyncio.create_task(self._watch(), name="top list watch")

    async def renewed(self, limit: int, *, request_id: str) -> FreshrateError | None:
        """Waits for a renewal of a list in demand that is due, at most as long as a refresh may take. Gives the reason
        where it failed; at once where it failed already and is being tried again."""
        demand = self._demands[-(-limit // CLASS) * CLASS]
        if demand.flight is None:
            if self._is_closed or self._clock().timestamp() < demand.rests_until:
                return _copied(demand.failure)
            self._start(demand, request_id)
        # What failed before is tried again without anybody waiting, unless there is nothing to serve meanwhile.
        if demand.flight is not None and (demand.failure is None or self._current.observed_at is None):
            demand.waiting += 1
            try:
                await asyncio.shield(demand.flight)
            finally:
                demand.waiting -= 1
        return _copied(demand.failure)

    async def close(self) -> None:
        self._is_closed = True
        flights = (one.flight for one in self._demands.values())
        tasks = [one for one in (self._pulse, *flights) if one]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._renewal.close()

    # The timer

    async def _watch(self) -> None:
        """While anything is in demand."""
        try:
            while self._demands:
                await asyncio.sleep(self._pause)
                self.look()
        except Exception:  # a defect here must not end the renewals for good: who asks next starts it again
            log.exception("top list not watched")
        finally:
            self._pulse = None

    def look(self) -> None:
        """Renews what is in demand and will be due soon; forgets what is not in demand any more."""
        now = self._clock().timestamp()
        for demand in list(self._demands.values()):
            if demand.flight is not None:
                continue
            if now - demand.asked_at > self._ttl:
                del self._demands[demand.length]
            elif now >= demand.rests_until and self._is_wanting(demand, now):
                self._start(demand, f"top-{demand.length}")

    def _is_wanting(self, demand: _Demand, now: float) -> bool:
        """Whether it is due, or will be soon."""
        return now >= self._current.due_at(demand.limit, now) - demand.ahead * self._ttl

    # One renewal

    def _start(self, demand: _Demand, request_id: str) -> None:
        demand.flight = asyncio.create_task(self._fly(demand, request_id), name="top list renewal")

    async def _fly(self, demand: _Demand, request_id: str) -> None:
        try:
            errors = await self._renewal.run(demand.length, request_id)
        except Exception:  # a defect must neither leave anybody waiting nor be tried again at once
            log.exception("top list not renewed")
            errors = [FreshrateError()]
        finally:
            demand.flight = None
        now = self._clock().timestamp()
        if demand.waiting:
            demand.asked_at = now
        is_wanting = self._is_wanting(demand, now)
        failure = errors[0] if errors and is_wanting else None
        if failure is not None and demand.failure is None:
            log.warning("top list not renewed", places=demand.length, error=str(failure))
        demand.failure = failure
        demand.rests_until = now + self._rest(failure, is_wanting=is_wanting)
        demand.ahead = AHEAD * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, no secret
        self._metrics.count("renewed" if failure is None else problem_of(type(failure)).slug)

    def _rest(self, failure: FreshrateError | None, *, is_wanting: bool) -> float:
        """Seconds until another try makes sense."""
        if failure is None:
            # What nothing went wrong with, and is wanting all the same, is the best that can be had.
            return self._ttl * RENEWED_WITH if is_wanting else 0.0
        if self._current.observed_at is None:
            return COLD_RETRY_SECONDS
        if isinstance(failure, RetryableError):
            return min(failure.retry_after, LONGEST_RETRY_SECONDS)
        return RETRY_SECONDS


def _copied(error: FreshrateError | None) -> FreshrateError | None:
    """An exception object is raised once only."""
    return copy.copy(error)

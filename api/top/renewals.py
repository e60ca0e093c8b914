"""Renewals of the list of now: many ask, one goes, and while the list is in demand nobody waits.

A list in demand (asked for within the last TTL) is renewed from a timer, ahead of its age. One that is due when somebody
asks is renewed while they wait. What failed is tried again in the background as long as the list is in demand, at growing
distances; who asks meanwhile gets what is known at once, and so does who asks long after, until a renewal has succeeded.

Lists are renewed by classes of length: a source's credit is so many places, so a shorter list costs the same. What a longer
one is to be renewed with serves the shorter ones too.
"""

import asyncio
import copy
from dataclasses import dataclass

import structlog

from api.errors import problem_of
from api.metrics import TopMetrics
from api.top import retries
from api.top.current import CurrentTop
from api.top.renewal import RENEWED_WITH, TopRenewal
from shared.domain.times import Clock
from shared.errors import DeadlineExceeded, FreshrateError, NotTried

log = structlog.get_logger(__name__)

CLASS = 200
"""Places of one class of length: so many make a credit of CoinMarketCap."""
AHEAD = 0.25
"""Share of the TTL by which a list in demand is renewed before it is due; more where renewals take longer."""
MOST_AHEAD = 0.45
"""What is younger is not renewed with the rest: see RENEWED_WITH."""
SLACK = 1.5
"""The next renewal may take so many times as long as the last one."""
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
    failure: FreshrateError | None = None
    """Why the last renewal did not bring what was due. Kept until one did, whether in demand or not."""
    failures: int = 0
    """In a row."""
    failed_at: float = 0.0
    rests_until: float = 0.0
    """No other renewal before."""

    def succeed(self) -> None:
        self.failure, self.failures, self.rests_until = None, 0, 0.0


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
        """By length: there are no more than the classes."""
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

    async def renewed(self, limit: int, *, request_id: str, patience: float) -> FreshrateError | None:
        """Waits for a renewal of a list in demand that is due, at most `patience` seconds. Gives the reason where it failed;
        at once where it failed already and is being tried again."""
        if self._is_closed:
            return _stopped()
        now = self._clock().timestamp()
        demand = self._demands[-(-limit // CLASS) * CLASS]
        self._note_success_of_others(demand)
        carrier = self._carrier(demand, now)
        if carrier.flight is None and now >= carrier.rests_until:
            self._start(carrier, request_id)
        # What failed before is tried again without anybody waiting, unless there is nothing to serve meanwhile.
        if carrier.flight is not None and (demand.failure is None or self._current.observed_at is None):
            flight = carrier.flight
            done, _ = await asyncio.wait({flight}, timeout=patience)
            self.note_demand(limit, self._clock().timestamp())
            if not done:
                return DeadlineExceeded()
            if flight.cancelled():
                return _stopped()
        return copy.copy(demand.failure)

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
            while any(self._is_in_demand(one) for one in self._demands.values()):
                await asyncio.sleep(self._pause)
                self.look()
        except Exception:  # a defect here must not end the renewals for good: who asks next starts it again
            log.exception("top list not watched")
        finally:
            self._pulse = None

    def look(self) -> None:
        """Renews what is in demand and will be due soon; forgets what is not in demand any more, unless it is to be
        remembered that it could not be renewed."""
        now = self._clock().timestamp()
        for demand in sorted(self._demands.values(), key=lambda one: one.length, reverse=True):
            self._note_success_of_others(demand)
            if demand.flight is not None:
                continue
            if not self._is_in_demand(demand):
                if demand.failure is None and self._carrier(demand, now).flight is None:
                    del self._demands[demand.length]
            elif now >= demand.rests_until and self._is_wanting(demand, now):
                carrier = self._carrier(demand, now)
                if carrier.flight is None:
                    self._start(carrier, f"top-{carrier.length}")

    def _is_in_demand(self, demand: _Demand) -> bool:
        return self._clock().timestamp() - demand.asked_at <= self._ttl

    def _is_wanting(self, demand: _Demand, at: float) -> bool:
        """Whether, as far as is known now, it was due at that time, or about to be."""
        return at >= self._current.due_at(demand.limit, at) - demand.ahead * self._ttl

    def _carrier(self, demand: _Demand, now: float) -> _Demand:
        """The longest with whose renewal this one is renewed too. One that failed carries nobody: what cannot be had of a
        long list may well be had of a short one."""
        longer = (
            one
            for one in self._demands.values()
            if one.length > demand.length
            and one.failure is None
            and (one.flight or (self._is_in_demand(one) and self._may_start(one, now)))
        )
        own = demand if demand.flight else None
        return own or max(longer, key=lambda one: one.length, default=demand)

    def _may_start(self, demand: _Demand, now: float) -> bool:
        return now >= demand.rests_until and self._is_wanting(demand, now)

    # One renewal

    def _start(self, demand: _Demand, request_id: str) -> None:
        demand.flight = asyncio.create_task(self._fly(demand, request_id), name="top list renewal")

    async def _fly(self, demand: _Demand, request_id: str) -> None:
        began = self._clock().timestamp()
        try:
            errors = await self._renewal.run(demand.length, request_id)
        except Exception:  # a defect must neither leave anybody waiting nor be tried again at once
            log.exception("top list not renewed")
            errors = [FreshrateError()]
        finally:
            demand.flight = None
        took = max(0.0, self._clock().timestamp() - began)
        demand.ahead = min(max(AHEAD * retries.jitter(), SLACK * took / self._ttl), MOST_AHEAD)
        for one in self._demands.values():
            if one is demand or (one.length < demand.length and one.flight is None):
                self._conclude(one, errors)
        failure = demand.failure
        self._metrics.count("renewed" if failure is None else problem_of(type(failure)).slug)

    def _conclude(self, demand: _Demand, errors: list[FreshrateError]) -> None:
        now = self._clock().timestamp()
        is_wanting = self._is_wanting(demand, now)
        if errors and is_wanting:
            self._fail(demand, errors[0], now)
            return
        demand.succeed()
        if is_wanting:
            # What nothing went wrong with, and is wanting all the same, is the best that can be had.
            demand.rests_until = now + self._ttl * RENEWED_WITH

    def _fail(self, demand: _Demand, failure: FreshrateError, now: float) -> None:
        if demand.failure is None:
            log.warning("top list not renewed", places=demand.length, error=str(failure))
        demand.failure, demand.failed_at = failure, now
        demand.failures += 1
        is_cold = self._current.observed_at is None
        demand.rests_until = now + retries.pause(failure, demand.failures, is_cold=is_cold)

    def _note_success_of_others(self, demand: _Demand) -> None:
        """Another process may have renewed what failed here."""
        if demand.failure is not None and not self._is_wanting(demand, demand.failed_at):
            demand.succeed()


def _stopped() -> NotTried:
    return NotTried("This process is being stopped. Ask again.")

"""Where the rates of a request come from: memory, then the store, then the source through a worker.

An error is never kept as a rate, and what the store lacks is asked for again by the next request. Of many who need the same
rate at once one reads it and one asks for it: `api.reader` and `api.flights` see to that. What was found before a wait is
taken from memory anew after it, so no answer goes back behind one that was given meanwhile.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from api.answers import RateAnswer
from api.asking import BRIEFLY, Asking
from api.memory import RateMemory
from api.refresh import Refresher
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.errors import (
    FreshrateError,
    NotTried,
    QueueUnavailable,
    StorageUnavailable,
    TooManyRequests,
    WorkerGone,
)

_NOBODY_TO_ASK = (QueueUnavailable, WorkerGone, TooManyRequests)


class Way(IntEnum):
    """How far a request had to go for a rate; the longest of all its rates counts."""

    HIT = 0
    STALE = 1
    """From memory past its life, for the store is away."""
    STORE = 2
    UPSTREAM = 3


@dataclass(slots=True)
class Found:
    """What became of each rate that was wanted."""

    rates: dict[int, RateAnswer] = field(default_factory=dict)
    failures: dict[int, FreshrateError] = field(default_factory=dict)
    """Why there is none."""
    way: Way = Way.HIT

    def note(self, way: Way) -> None:
        self.way = max(self.way, way)


class Lookup:
    """Finds rates."""

    def __init__(
        self, *, memory: RateMemory, refresher: Refresher, clock: Clock, min_interval: float
    ) -> None:
        """`min_interval`: seconds since it was fetched for which a rate counts as fresh, whatever is asked for."""
        self._memory = memory
        self._refresher = refresher
        self._clock = clock
        self._min_interval = timedelta(seconds=min_interval)

    def ready(self, currency_ids: Iterable[int], now: float) -> dict[int, RateAnswer] | None:
        """All of them from memory within their lives; None where one is not there."""
        rates = {}
        for one in currency_ids:
            answer = self._memory.live(one, now)
            if answer is None:
                return None
            rates[one] = answer
        return rates

    async def find(
        self, currency_ids: Collection[int], asking: Asking, *, max_age: timedelta | None = None
    ) -> Found:
        """Each with a rate or the reason why there is none. `max_age`: between its fetch and this request; None: any, which
        the answer tells."""
        self._memory.note_asked(currency_ids, asking.arrived_at.timestamp())
        found, floor = Found(), None
        if max_age is None:
            missing = await self._known(currency_ids, asking, found)
        else:
            max_age = max(max_age, self._min_interval)
            floor = asking.arrived_at - max_age
            missing = await self._young(currency_ids, floor, asking, found)
        outcomes = await self._ask(missing, asking, found) if missing else {}
        for one in currency_ids:
            if one in found.failures:
                continue
            answer = self._latest(one, floor)
            if answer is not None:
                found.rates[one] = answer
            elif one in outcomes:
                found.rates[one] = self._memory.encode(outcomes[one])
            else:
                found.failures[one] = NotTried("This currency has just turned out to be another.")
        return found

    def not_renewed(self, failures: Mapping[int, FreshrateError]) -> dict[int, RateAnswer]:
        """What memory holds of those that a source should have renewed and did not. Where none could be asked for it, be it that
        queue or workers are gone or that somebody asks too often, the failure says so instead."""
        now = self._clock().timestamp()
        held = {
            one: self._memory.held(one, now)
            for one, error in failures.items()
            if not isinstance(error, _NOBODY_TO_ASK)
        }
        return {
            one: self._memory.encode(answer.rate, not_renewed=True) for one, answer in held.items() if answer
        }

    def _latest(self, currency_id: int, floor: datetime | None) -> RateAnswer | None:
        """None where a visit brought it that began before the request, which joined it."""
        if floor is None:
            return self._memory.held(currency_id, self._clock().timestamp())
        rate = self._memory.fetched_since(currency_id, floor)
        return None if rate is None else self._memory.encode(rate)

    # Memory and store; both give those for which a worker is to be asked

    async def _known(self, currency_ids: Collection[int], asking: Asking, found: Found) -> list[int]:
        missing = self._not_live(currency_ids)
        now = self._clock().timestamp()
        due = [one for one in missing if self._memory.is_due(one, now)]
        unread: dict[int, FreshrateError] = {}
        if due:
            are_held = all(self._memory.held(one, now) for one in due)
            try:
                await self._memory.read(due, within=asking.left(BRIEFLY) if are_held else asking.left())
            except StorageUnavailable as error:
                unread = dict.fromkeys(due, error)
        past = self._not_live(missing)
        if len(past) < len(missing):
            found.note(Way.STORE)
        now = self._clock().timestamp()
        lacking = [one for one in past if not self._memory.held(one, now)]
        if len(lacking) < len(past):
            found.note(Way.STALE)
        found.failures = {one: unread[one] for one in lacking if one in unread}
        return [one for one in lacking if one not in unread]

    def _not_live(self, currency_ids: Iterable[int]) -> list[int]:
        now = self._clock().timestamp()
        return [one for one in currency_ids if self._memory.live(one, now) is None]

    async def _young(
        self, currency_ids: Collection[int], floor: datetime, asking: Asking, found: Found
    ) -> list[int]:
        if floor == asking.arrived_at:
            return [*currency_ids]
        missing = self._old(currency_ids, floor)
        if not missing:
            return missing
        try:
            await self._memory.read(missing, within=asking.left(BRIEFLY))
        except StorageUnavailable:
            # A worker may still reach it; if not, its failure says so.
            return missing
        lacking = self._old(missing, floor)
        if len(lacking) < len(missing):
            found.note(Way.STORE)
        return lacking

    def _old(self, currency_ids: Iterable[int], floor: datetime) -> list[int]:
        return [one for one in currency_ids if self._memory.fetched_since(one, floor) is None]

    # Source

    async def _ask(self, currency_ids: Collection[int], asking: Asking, found: Found) -> dict[int, Rate]:
        if not self._refresher.is_refusing:
            try:
                asking.spend()
            except TooManyRequests as error:
                found.failures |= dict.fromkeys(currency_ids, error)
                return {}
        outcomes = await self._refresher.refresh(
            currency_ids, request_id=asking.request_id, deadline=asking.deadline
        )
        rates = {}
        for one, outcome in outcomes.items():
            if isinstance(outcome, Rate):
                rates[one] = outcome
            else:
                found.failures[one] = outcome
            if not isinstance(outcome, NotTried):
                found.note(Way.UPSTREAM)
        return rates

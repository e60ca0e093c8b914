"""Where the rates of a request come from: memory, then the store, then the source through a worker.

An error is never kept as a rate, and what the store lacks is asked for again by the next request. Of many who need the same
rate at once one reads it and one asks for it: `api.reader` and `api.flights` see to that.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum

from api.answers import RateAnswer
from api.memory import RateMemory
from api.quotes.asking import Asking
from api.refresh import Refresher
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.errors import FreshrateError, StorageUnavailable


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

    def add(self, currency_id: int, answer: RateAnswer, way: Way) -> None:
        self.rates[currency_id] = answer
        self.way = max(self.way, way)


class Lookup:
    """Finds rates."""

    def __init__(self, *, memory: RateMemory, refresher: Refresher, clock: Clock) -> None:
        self._memory = memory
        self._refresher = refresher
        self._clock = clock

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
        """Each with a rate or the reason why there is none. `max_age`: since it was fetched. Raises TooManyRequests."""
        self._memory.note_asked(currency_ids, self._clock().timestamp())
        found = Found()
        if max_age is None:
            await self._known(currency_ids, found)
        elif max_age:
            await self._fetched_within(max_age, currency_ids, found)
        missing = [one for one in currency_ids if one not in found.rates and one not in found.failures]
        if missing:
            await self._ask(missing, asking, found)
        return found

    # Memory and store

    async def _known(self, currency_ids: Collection[int], found: Found) -> None:
        """At any age: the answer says how old."""
        self._take_live(currency_ids, found, Way.HIT)
        missing = [one for one in currency_ids if one not in found.rates]
        now = self._clock().timestamp()
        due = [one for one in missing if self._memory.is_due(one, now)]
        if due:
            try:
                await self._memory.read(due)
            except StorageUnavailable as error:
                found.failures.update(dict.fromkeys(due, error))
        self._take_live(missing, found, Way.STORE)
        now = self._clock().timestamp()
        for one in missing:
            held = None if one in found.rates else self._memory.held(one, now)
            if held is not None:
                found.add(one, held, Way.STALE)
        for one in found.rates.keys() & found.failures.keys():
            del found.failures[one]

    def _take_live(self, currency_ids: Collection[int], found: Found, way: Way) -> None:
        now = self._clock().timestamp()
        for one in currency_ids:
            answer = self._memory.live(one, now)
            if answer is not None:
                found.add(one, answer, way)

    async def _fetched_within(self, max_age: timedelta, currency_ids: Collection[int], found: Found) -> None:
        floor = self._clock() - max_age
        for way in (Way.HIT, Way.STORE):
            for one in currency_ids:
                rate = None if one in found.rates else self._memory.fetched_since(one, floor)
                if rate is not None:
                    found.add(one, self._memory.encode(rate), way)
            missing = [one for one in currency_ids if one not in found.rates]
            if way is Way.STORE or not missing:
                return
            try:
                await self._memory.read(missing)
            except StorageUnavailable:
                # A worker may still reach it; if not, its failure says so.
                return

    # Source

    async def _ask(self, currency_ids: Collection[int], asking: Asking, found: Found) -> None:
        asking.spend()
        found.way = Way.UPSTREAM
        outcomes = await self._refresher.refresh_all(currency_ids, request_id=asking.request_id)
        for one, outcome in outcomes.items():
            if isinstance(outcome, Rate):
                found.rates[one] = self._memory.encode(outcome)
            else:
                found.failures[one] = outcome

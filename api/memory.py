"""The last rates in the memory of this process: the 60 s cache of the contract, renewed by the stream of facts.

An entry lives for the TTL from the fact, store read or visit that brought it. The regular listing corrects it without
prolonging it. Past its life the store is read again, by one reader at a time, while the old entry goes on being served:
so no request waits for the database, and nothing breaks while it is down. Everything enters through one
compare-and-set that never goes back in (observed_at, id).
"""

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from api.answers import RateAnswer, rate_answer
from api.reader import LastRateReader
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.errors import FreshrateError
from shared.ports import Storage

RETRY_SECONDS = 1.0
"""How long an entry that could not be read again is left alone; jittered."""


@dataclass(slots=True)
class _Entry:
    """What is known of one currency. Times in seconds since 1970."""

    lives_until: float
    rates: dict[str, Rate] = field(default_factory=dict)
    """By source."""
    not_renewed: bool = False
    """The store could not be read again when it was due."""
    answer: RateAnswer | None = None


@dataclass(frozen=True, slots=True)
class ListedRate:
    """The rate that a list of now shows of a currency."""

    rate: Rate
    newest_fetch: datetime
    """Of any source: when we last learned a price of it."""


class RateMemory:
    """The last rates by currency and source, and their encoded answers."""

    def __init__(
        self, *, storage: Storage, sources: Sequence[str], ttl: float, stale_after: float, clock: Clock
    ) -> None:
        self._sources = tuple(sources)
        self._ttl = ttl
        self._stale_after = stale_after
        self._clock = clock
        self._entries: dict[int, _Entry] = {}
        self._with_rates: dict[str, tuple[int, _Entry]] = {}
        """By the id's text as it stands in a path, so the hot path needs no parsing."""
        self._reader = LastRateReader(storage, self._arrived, self._failed)
        self.newest_fetch: datetime | None = None
        self.on_rate: Callable[[Rate], None] = _nobody
        """Told of each rate that is news."""
        self.on_forget: Callable[[int], None] = _nobody
        """Told the id of each currency that is forgotten."""

    def learn(self, rates: Iterable[Rate], *, prolong: bool) -> None:
        """Takes what is newer. `prolong`: these are news (a fact, a visit), so their entries live on."""
        lives_until = self._clock().timestamp() + self._ttl
        for rate in rates:
            entry = self._entries.get(rate.currency_id)
            if entry is None:
                entry = self._entries[rate.currency_id] = _Entry(lives_until)
            if prolong:
                entry.lives_until = lives_until
            if entry.not_renewed:
                entry.not_renewed, entry.answer = False, None
            if _is_newer(rate, entry.rates.get(rate.source)):
                self._put(entry, rate)

    def _put(self, entry: _Entry, rate: Rate) -> None:
        entry.rates[rate.source] = rate
        entry.answer = None
        self._with_rates.setdefault(str(rate.currency_id), (rate.currency_id, entry))
        if self.newest_fetch is None or rate.fetched_at > self.newest_fetch:
            self.newest_fetch = rate.fetched_at
        self.on_rate(rate)

    def ready(self, id_text: str, now: float) -> RateAnswer | None:
        """The answer for the id in a path, without any I/O; None where nothing is in memory."""
        found = self._with_rates.get(id_text)
        if found is None:
            return None
        currency_id, entry = found
        if now >= entry.lives_until:
            self._reader.want(currency_id)
        answer = entry.answer
        if answer is None or now > answer.stale_from:
            answer = entry.answer = self._encode(entry, now)
        return answer

    def known(self, currency_id: int) -> RateAnswer | None:
        """What is in memory, however old, without any I/O."""
        return self.ready(str(currency_id), self._clock().timestamp())

    async def last(self, currency_id: int) -> RateAnswer | None:
        """The last rate, from the store where memory never heard of the currency; None where there is none.

        Raises StorageUnavailable.
        """
        entry = self._entries.get(currency_id)
        is_empty_and_old = entry and not entry.rates and self._clock().timestamp() >= entry.lives_until
        if entry is None or is_empty_and_old:
            await self._reader.read(currency_id)
        return self.known(currency_id)

    def fetched_since(self, currency_id: int, floor: datetime) -> Rate | None:
        """A rate in memory that was fetched at or after `floor`, of the most preferred source that has one."""
        entry = self._entries.get(currency_id)
        rates = [rate for rate in entry.rates.values() if rate.fetched_at >= floor] if entry else []
        return min(rates, key=self.preference, default=None)

    def listed(self, currency_id: int, since: datetime) -> ListedRate | None:
        """Of the most preferred source among those fetched at or after `since`, else the one fetched last; without any
        I/O."""
        entry = self._entries.get(currency_id)
        if entry is None or not entry.rates:
            return None
        newest = max(entry.rates.values(), key=_fetched_at)
        return ListedRate(
            rate=self.fetched_since(currency_id, since) or newest, newest_fetch=newest.fetched_at
        )

    def forget(self, currency_ids: Iterable[int]) -> None:
        """Those that are no currencies of their own any more."""
        for currency_id in currency_ids:
            self._entries.pop(currency_id, None)
            if self._with_rates.pop(str(currency_id), None):
                self.on_forget(currency_id)

    def preference(self, rate: Rate) -> tuple[int, str]:
        """To sort rates by: the most preferred first."""
        return preference(rate.source, self._sources)

    def encode(self, rate: Rate, *, not_renewed: bool = False) -> RateAnswer:
        """Any rate as an answer, by the same rule of staleness."""
        now = self._clock().timestamp()
        return rate_answer(rate, now=now, stale_after=self._stale_after, not_renewed=not_renewed)

    def is_stale(self, rate: Rate, now: float) -> bool:
        return now - rate.fetched_at.timestamp() > self._stale_after

    async def close(self) -> None:
        await self._reader.close()

    def _encode(self, entry: _Entry, now: float) -> RateAnswer:
        rate = self._pick(entry.rates, now)
        return rate_answer(rate, now=now, stale_after=self._stale_after, not_renewed=entry.not_renewed)

    def _pick(self, rates: dict[str, Rate], now: float) -> Rate:
        """Of the first preferred source that has one not stale, else the newest."""
        for source in self._sources:
            rate = rates.get(source)
            if rate is not None and not self.is_stale(rate, now):
                return rate
        return max(rates.values(), key=_position)

    def _arrived(self, currency_ids: Collection[int], rates: Sequence[Rate]) -> None:
        """A store read: it prolongs also what has no rate yet."""
        lives_until = self._clock().timestamp() + self._ttl
        self.learn(rates, prolong=True)
        for currency_id in currency_ids:
            entry = self._entries.setdefault(currency_id, _Entry(lives_until))
            entry.lives_until = lives_until

    def _failed(self, currency_ids: Collection[int], _error: FreshrateError) -> None:
        pause = RETRY_SECONDS * random.uniform(1.0, 1.5)  # noqa: S311 - jitter, no secret
        retry_at = self._clock().timestamp() + pause
        for currency_id in currency_ids:
            entry = self._entries.get(currency_id)
            if entry is not None:
                entry.lives_until, entry.not_renewed, entry.answer = retry_at, True, None


def _is_newer(rate: Rate, held: Rate | None) -> bool:
    if held is None:
        return True
    if rate.id == held.id:
        return rate.fetched_at > held.fetched_at
    return rate.position > held.position


def preference(source: str, sources: Sequence[str]) -> tuple[int, str]:
    """To sort by: the source's place in SOURCES; those that are no longer among them are last, by name."""
    return (sources.index(source) if source in sources else len(sources), source)


def _nobody(_news: object) -> None:
    """Nobody wants to know."""


def _fetched_at(rate: Rate) -> datetime:
    return rate.fetched_at


def _position(rate: Rate) -> tuple[datetime, int]:
    return rate.position

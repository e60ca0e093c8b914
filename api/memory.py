"""The last rates in the memory of this process: the 60 s cache of the contract, renewed by the stream of facts.

What is cached are USD rates by currency, never an error and nothing that is derived from them. An entry lives for the TTL
from the fact, store read or visit that brought the rate which it serves. The regular listing corrects it without prolonging
it. Past its life the store is read again, by one reader at a time: `last` and `known` go on serving the old entry meanwhile,
so no request for a last rate waits for the database, and nothing breaks while it is down; who wants what is within its life
asks `live`. Everything enters through one compare-and-set that never goes back in (observed_at, id).
"""

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from api.answers import RateAnswer, rate_answer
from api.entry import Entry
from api.preferred import Preferred, preference
from api.reader import LastRateReader
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.ports import Storage

RETRY_SECONDS = 1.0
"""How long an entry that could not be read again is left alone; jittered."""


@dataclass(frozen=True, slots=True)
class ListedRate:
    """The rate that a list of now shows of a currency."""

    rate: Rate
    newest_fetch: datetime
    """Of any source: when we last learned a price of it."""


class RateMemory:
    """The last rates by currency and source, and their encoded answers."""

    def __init__(
        self,
        *,
        storage: Storage,
        sources: Sequence[str],
        ttl: float,
        stale_after: Callable[[int], float],
        is_fiat: Callable[[int], bool],
        clock: Clock,
    ) -> None:
        """`ttl`, and `stale_after` of a currency's id: seconds."""
        self._sources = tuple(sources)
        self._ttl = ttl
        self._stale_after = stale_after
        self._is_fiat = is_fiat
        self._clock = clock
        self._preferred = Preferred(sources, stale_after)
        self._entries: dict[int, Entry] = {}
        self._with_rates: dict[str, Entry] = {}
        """By the id's text as it stands in a path, so the hot path needs no parsing."""
        self._reader = LastRateReader(storage, self._arrived, self._failed)
        self.newest_fetch: datetime | None = None
        """Of any rate of a cryptocurrency: those of fiat currencies come of polls of their own, and would hide that the
        others have stopped."""
        self.on_rate: list[Callable[[Rate], None]] = []
        """Each is told of each rate that is news."""
        self.on_forget: list[Callable[[int], None]] = []
        """Each is told the id of each currency that is forgotten."""

    # What is learned

    def learn(self, rates: Iterable[Rate], *, prolong: bool) -> None:
        """Takes what is newer. `prolong`: these are news (a fact, a visit, a read of just these), so the entries that serve
        them live on."""
        now = self._clock().timestamp()
        for rate in rates:
            entry = self._entry(rate.currency_id)
            is_first = not entry.rates
            entry.note_reached()
            if entry.take(rate):
                self._note(entry, rate)
            if is_first or (prolong and self._serves(entry, rate, now)):
                entry.live_until(now + self._ttl)

    def forget(self, currency_ids: Iterable[int]) -> None:
        """Those that are no currencies of their own any more."""
        for currency_id in currency_ids:
            self._entries.pop(currency_id, None)
            if self._with_rates.pop(str(currency_id), None):
                for told in self.on_forget:
                    told(currency_id)

    async def read(self, currency_ids: Collection[int], *, within: float | None = None) -> None:
        """Reads the store for all of these, by one read with whatever else is wanted. Raises StorageUnavailable, also where
        that takes more than so many seconds."""
        await self._reader.read(currency_ids, within=within)

    async def close(self) -> None:
        await self._reader.close()

    # What is served

    def ready(self, id_text: str, now: float) -> RateAnswer | None:
        """The answer for the id in a path, however old, without any I/O; None where nothing is in memory. Notes that it was
        asked for, and has the store read where it is due."""
        entry = self._with_rates.get(id_text)
        if entry is None:
            return None
        entry.asked_at = now
        if now >= entry.due_at:
            self._reader.want(entry.currency_id)
        answer = entry.answer
        return self._answer(entry, now) if answer is None or now > answer.stale_from else answer

    def live(self, currency_id: int, now: float) -> RateAnswer | None:
        """What is in memory within its life, without any I/O. Notes that it was asked for."""
        entry = self._entries.get(currency_id)
        if entry is None:
            return None
        entry.asked_at = now
        if now >= entry.lives_until or not entry.rates:
            return None
        answer = entry.answer
        return self._answer(entry, now) if answer is None or now > answer.stale_from else answer

    def held(self, currency_id: int, now: float) -> RateAnswer | None:
        """What is in memory, however old. Starts nothing and notes nothing."""
        entry = self._entries.get(currency_id)
        return self._answer(entry, now) if entry and entry.rates else None

    def served(self, currency_id: int, now: float) -> Rate | None:
        """The rate of which `held` makes an answer."""
        entry = self._entries.get(currency_id)
        return self._preferred.of(entry.rates, now) if entry and entry.rates else None

    def currency_ids(self) -> list[int]:
        """All that have a rate in memory."""
        return [entry.currency_id for entry in self._with_rates.values()]

    def known(self, currency_id: int) -> RateAnswer | None:
        """What is in memory, however old, without any I/O; has the store read where it is due."""
        entry = self._with_rates.get(str(currency_id))
        if entry is None:
            return None
        now = self._clock().timestamp()
        if now >= entry.due_at:
            self._reader.want(currency_id)
        return self._answer(entry, now)

    async def last(self, currency_id: int) -> RateAnswer | None:
        """The last rate, from the store where memory never heard of the currency; None where there is none.

        Raises StorageUnavailable.
        """
        entry = self._entries.get(currency_id)
        if (entry is None or not entry.rates) and self.is_due(currency_id, self._clock().timestamp()):
            await self.read([currency_id])
        return self.known(currency_id)

    def is_due(self, currency_id: int, now: float) -> bool:
        """Whether the store is to be read: memory never heard of the currency, or it is past its life. Not so for a moment
        after a read that failed, where an old rate is held."""
        entry = self._entries.get(currency_id)
        return entry is None or now >= entry.due_at

    # What was asked for

    def note_asked(self, currency_ids: Iterable[int], now: float) -> None:
        """Somebody asks for these currencies, which exist, whether a rate of them is known or not."""
        for currency_id in currency_ids:
            self._entry(currency_id).asked_at = now

    def asked_since(self, moment: float) -> dict[int, datetime]:
        """When somebody last asked for each of those that were asked for at or after that moment."""
        return {
            currency_id: datetime.fromtimestamp(entry.asked_at, UTC)
            for currency_id, entry in self._entries.items()
            if entry.asked_at >= moment
        }

    # Rates

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
        newest = max(entry.rates.values(), key=lambda one: one.fetched_at)
        return ListedRate(
            rate=self.fetched_since(currency_id, since) or newest, newest_fetch=newest.fetched_at
        )

    def preference(self, rate: Rate) -> tuple[int, str]:
        """To sort rates by: the most preferred first."""
        return preference(rate.source, self._sources)

    def encode(self, rate: Rate, *, not_renewed: bool = False) -> RateAnswer:
        """Any rate as an answer, by the same rule of staleness."""
        return self._encoded(rate, self._clock().timestamp(), not_renewed=not_renewed)

    def is_stale(self, rate: Rate, now: float) -> bool:
        return self._preferred.is_stale(rate, now)

    # Inside

    def _entry(self, currency_id: int) -> Entry:
        entry = self._entries.get(currency_id)
        if entry is None:
            entry = self._entries[currency_id] = Entry(currency_id)
        return entry

    def _note(self, entry: Entry, rate: Rate) -> None:
        self._with_rates.setdefault(str(rate.currency_id), entry)
        is_newer = self.newest_fetch is None or rate.fetched_at > self.newest_fetch
        if is_newer and not self._is_fiat(rate.currency_id):
            self.newest_fetch = rate.fetched_at
        for told in self.on_rate:
            told(rate)

    def _serves(self, entry: Entry, rate: Rate, now: float) -> bool:
        """Whether this rate, in no older state, is the one that the entry serves: news of another source's rate is none of
        it, and old news is none at all."""
        served = self._preferred.of(entry.rates, now)
        return (served.id, served.fetched_at) == (rate.id, rate.fetched_at)

    def _answer(self, entry: Entry, now: float) -> RateAnswer:
        """Of an entry with a rate."""
        answer = entry.answer
        if answer is None or now > answer.stale_from:
            rate = self._preferred.of(entry.rates, now)
            answer = entry.answer = self._encoded(rate, now, not_renewed=entry.not_renewed)
        return answer

    def _encoded(self, rate: Rate, now: float, *, not_renewed: bool) -> RateAnswer:
        stale_after = self._stale_after(rate.currency_id)
        return rate_answer(rate, now=now, stale_after=stale_after, not_renewed=not_renewed)

    def _arrived(self, currency_ids: Collection[int], rates: Sequence[Rate]) -> None:
        """A store read: it prolongs also what has no rate yet."""
        self.learn(rates, prolong=True)
        lives_until = self._clock().timestamp() + self._ttl
        for currency_id in currency_ids:
            entry = self._entry(currency_id)
            entry.note_reached()
            entry.live_until(lives_until)

    def _failed(self, currency_ids: Collection[int]) -> None:
        """What is past its life is served on, and left alone for a moment; what has no rate stays due."""
        now = self._clock().timestamp()
        pause = RETRY_SECONDS * random.uniform(1.0, 1.5)  # noqa: S311 - jitter, no secret
        for currency_id in currency_ids:
            entry = self._entries.get(currency_id)
            if entry is not None and entry.rates and now >= entry.lives_until:
                entry.put_off(now + pause)

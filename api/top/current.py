"""The list of now in the memory of this process: put together from shared rows, kept encoded, renewed by facts.

An encoded list is served until something in it moves, or the time comes at which it would be another. What is older than the
TTL is never served as if it were not: a list with such a part is due, and where it is served all the same it says that it is
stale. Two things do not make it stale: that no source has as many places as were asked for, and prices which are being asked
for in the background (of those that only the newest ranking named; until then each row says how old its price is).
"""

import asyncio
import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from api.catalog import Catalog
from api.memory import RateMemory
from api.top.building import TURN, ListBuilder
from api.top.checks import Checks
from api.top.encoded_lists import EncodedLists, Key, TopAnswer
from api.top.formats import Format
from api.top.known import KnownRankings
from api.top.lines import Lines
from shared.domain.ranking import Ranking
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.messages import RefreshFailed


class CurrentTop:
    """What is known of the list of now."""

    def __init__(
        self,
        *,
        memory: RateMemory,
        catalog: Catalog,
        sources: Sequence[str],
        ttl: float,
        stale_after: float,
        clock: Clock,
    ) -> None:
        """`sources`: of prices, the preferred first. `ttl`, `stale_after`: seconds."""
        self._sources = tuple(sources)
        self._ttl = ttl
        self._stale_after = stale_after
        self._clock = clock
        self._lines = Lines(memory=memory, catalog=catalog, ttl=ttl)
        self._checks = Checks(catalog=catalog, preferred=self._sources[0])
        self._rankings = KnownRankings()
        self._ranked: set[int] = set()
        """All that some ranking in memory names."""
        self._version = 0
        """Goes on when something moves of which a list in memory may consist."""
        self._answers = EncodedLists()
        self._building = asyncio.Lock()
        self._awaited: list[frozenset[int]] = []
        memory.on_rate.append(self._note_rate)
        memory.on_forget.append(self._note_forgotten)

    # What is learned

    def learn(self, ranking: Ranking | None) -> None:
        """Takes what is news."""
        if ranking is not None and self._rankings.learn(ranking):
            self._ranked = self._rankings.currency_ids()
            self._lines.keep(self._ranked)
            self._checks.keep(self._rankings.all())
            self._version += 1

    def note_answers(self, rates: Iterable[Rate]) -> None:
        """These came of a refresh, which asks the sources in their order."""
        visited = [
            one.currency_id
            for one in rates
            if self._checks.note_visit(one.currency_id, one.fetched_at.timestamp())
        ]
        self._move(visited)

    def note_failures(self, fact: RefreshFailed) -> None:
        """Where a source answered that it has no price, there is none to be had now. Any other failure is the trouble of a
        source, and what was asked for stays due."""
        now = self._clock().timestamp()
        visited = [
            one.currency_id
            for one in fact.failures
            if one.is_answered
            and one.currency_id is not None
            and self._checks.note_visit(one.currency_id, now)
        ]
        self._move(visited)

    def await_prices(self, currency_ids: frozenset[int]) -> None:
        """These are being asked for in the background, until `end_waiting` is called with the same."""
        self._awaited.append(currency_ids)
        self._note_awaited(currency_ids)

    def end_waiting(self, currency_ids: frozenset[int]) -> None:
        self._awaited.remove(currency_ids)
        self._note_awaited(currency_ids)

    def rename(self) -> None:
        """The catalog was loaded again: names and symbols may be others."""
        self._lines.rename()
        self._checks.prune()
        self._version += 1

    def _note_rate(self, rate: Rate) -> None:
        self._checks.note_price(rate)
        self._lines.note_change(rate.currency_id)
        self._move([rate.currency_id])

    def _note_forgotten(self, currency_id: int) -> None:
        self._checks.forget(currency_id)
        self._lines.note_change(currency_id)
        self._move([currency_id])

    def _note_awaited(self, changed: Iterable[int]) -> None:
        self._checks.note_awaited(frozenset().union(*self._awaited))
        self._move(changed)

    def _move(self, currency_ids: Iterable[int]) -> None:
        if not self._ranked.isdisjoint(currency_ids):
            self._version += 1

    # What is known

    @property
    def observed_at(self) -> datetime | None:
        """Of the newest ranking."""
        newest = self._rankings.newest
        return newest.observed_at if newest else None

    def ranking_of(self, limit: int, now: float) -> Ranking | None:
        return self._rankings.of(limit, oldest=now - self._stale_after)

    def due_at(self, limit: int, now: float) -> float:
        """When the list must be renewed; it is due where nothing is known, or too little."""
        ranking = self.ranking_of(limit, now)
        if ranking is None or not ranking.covers(limit):
            return -math.inf
        return self._aged_at(ranking, limit)

    def is_aged(self, limit: int, now: float) -> bool:
        """Whether a part of what is known is older than the TTL."""
        ranking = self.ranking_of(limit, now)
        return ranking is None or self._aged_at(ranking, limit) <= now

    def unchecked(self, length: int, now: float, *, before: float) -> list[int]:
        """Those of the first so many of which no source was asked since."""
        ranking = self.ranking_of(length, now)
        if ranking is None or self._floor(ranking) >= before:
            return []
        return self._checks.before(ranking.currency_ids[:length], before)

    def _aged_at(self, ranking: Ranking, limit: int) -> float:
        checked = max(self._checks.oldest(ranking, limit), self._floor(ranking))
        return min(ranking.observed_at.timestamp(), checked) + self._ttl

    def _floor(self, ranking: Ranking) -> float:
        """The preferred source of prices states them with its ranking, so all were asked for then."""
        return ranking.observed_at.timestamp() if ranking.source == self._sources[0] else -math.inf

    # What is served

    def ready(self, limit: int, format_: Format, now: float) -> TopAnswer | None:
        """The encoded list, where it can be had at once and is not due, or is the best that could be had."""
        key = (limit, format_, False)
        answer = self._answers.find(key, self._version, now)
        if answer is not None:
            return answer
        if limit > TURN or self.due_at(limit, now) <= now:
            return None
        return self._at_once(key, now)

    async def answer(self, limit: int, format_: Format, *, not_renewed: bool) -> TopAnswer:
        """The encoded list as it is, due or not; empty where no ranking is known. `not_renewed`: it should have been and
        was not, so it is stale at any age."""
        key = (limit, format_, not_renewed)
        if limit <= TURN:
            now = self._clock().timestamp()
            return self._answers.find(key, self._version, now) or self._at_once(key, now)
        async with self._building:
            now = self._clock().timestamp()
            kept = self._answers.find(key, self._version, now)
            if kept is not None:
                return kept
            builder = self._builder(key, now)
            while builder.add_rows():  # noqa: ASYNC110 - nothing is waited for: others get their turn
                await asyncio.sleep(0)
            return self._finish(key, builder, now)

    def _at_once(self, key: Key, now: float) -> TopAnswer:
        builder = self._builder(key, now)
        builder.add_rows()
        return self._finish(key, builder, now)

    def _builder(self, key: Key, now: float) -> ListBuilder:
        return ListBuilder(
            key,
            lines=self._lines,
            ranking=self.ranking_of(key[0], now),
            sources=self._sources,
            version=self._version,
            now=now,
        )

    def _finish(self, key: Key, builder: ListBuilder, now: float) -> TopAnswer:
        limit = key[0]
        ranking = self.ranking_of(limit, now)
        aged_at = self._aged_at(ranking, limit) if ranking else math.inf
        return self._answers.keep(key, builder.finish(stale_after=self._stale_after, aged_at=aged_at))

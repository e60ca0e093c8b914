"""The list of now in the memory of this process: put together from shared rows, kept encoded, renewed by facts.

An encoded list is served as long as nothing in it changed and nothing in it is due. A long one is put together in turns,
so that other requests do not wait for it.
"""

import asyncio
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.answers import http_date
from api.catalog import Catalog
from api.etags import etag_of
from api.memory import RateMemory
from api.top.encoded_lists import EncodedLists, Key, TopAnswer
from api.top.formats import ENCODINGS, Facts, Format, list_headers
from api.top.known import KnownRankings
from api.top.lines import Line, Lines
from shared.domain.ranking import Ranking
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.domain.visit import FailureKind
from shared.messages import RefreshFailed

TURN = 500
"""Rows that are put together before other work gets its turn: some milliseconds where all are new."""


@dataclass(slots=True)
class _Tally:
    """What is learned of a list row by row. Times in seconds since 1970."""

    oldest: float
    newest: float
    checked: float
    """When the source of the row that waits longest was asked."""
    looks_again: float = math.inf
    has_price: bool = False
    visited: float = -math.inf
    sources: set[str] = field(default_factory=set)

    def add(self, line: Line, floor: float) -> None:
        if line.rate is None:
            self.visited = max(self.visited, line.visited, floor)
            return
        self.has_price = True
        self.oldest = min(self.oldest, line.fetched)
        self.newest = max(self.newest, line.fetched)
        self.checked = min(self.checked, max(line.checked, floor))
        self.looks_again = min(self.looks_again, line.looks_again)
        self.sources.add(line.rate.source)


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
        self._lines = Lines(memory=memory, catalog=catalog, preferred=self._sources[0], ttl=ttl)
        self._rankings = KnownRankings()
        self._version = 0
        self._answers = EncodedLists()
        self._dues: dict[int, tuple[int, float]] = {}
        self._building = asyncio.Lock()
        memory.on_change = self._note_change

    # What is learned

    def learn(self, ranking: Ranking | None) -> None:
        """Takes what is news."""
        if ranking is not None and self._rankings.learn(ranking):
            self._lines.keep(self._rankings.currency_ids())
            self._version += 1

    def note_answers(self, rates: Sequence[Rate]) -> None:
        """These came of a refresh, which asks the sources in their order."""
        for rate in rates:
            self._lines.note_visit(rate.currency_id, rate.fetched_at.timestamp())
        self._version += 1

    def note_failures(self, fact: RefreshFailed) -> None:
        """A source that was visited and has no price of a currency was asked for it. Where it failed for many at once, the
        trouble is the source's: those were not asked."""
        visited = [
            one.currency_id
            for one in fact.failures
            if one.kind is FailureKind.VISITED
            and one.currency_id is not None
            and one.currency_id in self._lines
        ]
        if not visited or len(visited) > max(1, len(self._lines) // 10) or len(visited) == len(self._lines):
            return
        now = self._clock().timestamp()
        for currency_id in visited:
            self._lines.note_visit(currency_id, now)
        self._version += 1

    def rename(self) -> None:
        """The catalog was loaded again: names and symbols may be others."""
        self._lines.rename()
        self._version += 1

    def _note_change(self, currency_id: int) -> None:
        if self._lines.note_change(currency_id):
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
        version, due = self._dues.get(limit, (-1, 0.0))
        if version != self._version:
            if len(self._dues) > TURN:
                self._dues.clear()
            due = self._due_at(limit, now)
            self._dues[limit] = (self._version, due)
        return due

    def unchecked(self, length: int, now: float, *, before: float) -> list[int]:
        """Those of the first so many of which no source was asked since."""
        ranking = self.ranking_of(length, now)
        if ranking is None:
            return []
        floor = self._floor(ranking)
        lines = (self._lines.of(one, now) for one in ranking.currency_ids[:length])
        return [one.currency.id for one in lines if max(one.checked, floor) < before]

    def _due_at(self, limit: int, now: float) -> float:
        ranking = self.ranking_of(limit, now)
        if ranking is None or not ranking.covers(limit):
            return -math.inf
        tally, floor = self._tally(ranking), self._floor(ranking)
        for currency_id in ranking.currency_ids[:limit]:
            tally.add(self._lines.of(currency_id, now), floor)
        return self._due(tally)

    def _due(self, tally: _Tally) -> float:
        """A list without a single price is due as long as nobody said that there is none."""
        return (tally.checked if tally.has_price else min(tally.checked, tally.visited)) + self._ttl

    def _floor(self, ranking: Ranking) -> float:
        """The preferred source of prices states them with its ranking, so all were asked for then."""
        return ranking.observed_at.timestamp() if ranking.source == self._sources[0] else -math.inf

    @staticmethod
    def _tally(ranking: Ranking) -> _Tally:
        observed = ranking.observed_at.timestamp()
        return _Tally(oldest=observed, newest=observed, checked=observed)

    # What is served

    def ready(self, limit: int, format_: Format, now: float) -> TopAnswer | None:
        """The encoded list, where it is not due and can be had at once."""
        key = (limit, format_, False)
        answer = self._answers.find(key, self._version, now)
        if answer is not None:
            return answer
        if limit > TURN or self.due_at(limit, now) <= now:
            return None
        return self._at_once(key, now)

    async def answer(self, limit: int, format_: Format, *, not_renewed: bool) -> TopAnswer:
        """The encoded list as it is, due or not; empty where no ranking is known. `not_renewed`: it should have been and
        could not, so it is stale at any age."""
        key = (limit, format_, not_renewed)
        now = self._clock().timestamp()
        if limit <= TURN:
            return self._answers.find(key, self._version, now) or self._at_once(key, now)
        async with self._building:
            now = self._clock().timestamp()
            kept = self._answers.find(key, self._version, now)
            if kept is not None:
                return kept
            steps = self._steps(key, now)
            while True:
                try:
                    next(steps)
                except StopIteration as done:
                    return self._answers.keep(key, done.value)
                await asyncio.sleep(0)

    def _at_once(self, key: Key, now: float) -> TopAnswer:
        steps = self._steps(key, now)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return self._answers.keep(key, done.value)

    def _steps(self, key: Key, now: float) -> Generator[None, None, TopAnswer]:
        """Puts the list together, TURN rows at each step."""
        limit, format_, not_renewed = key
        version, encoding = self._version, ENCODINGS[format_]
        ranking = self.ranking_of(limit, now)
        ids = ranking.currency_ids[:limit] if ranking else ()
        tally = self._tally(ranking) if ranking else _Tally(now, now, -math.inf)
        floor = self._floor(ranking) if ranking else -math.inf
        rows: list[bytes] = []
        for start in range(0, len(ids), TURN):
            for rank, currency_id in enumerate(ids[start : start + TURN], start + 1):
                line = self._lines.of(currency_id, now)
                tally.add(line, floor)
                rows.append(encoding.line(rank, line.tail(format_)))
            yield
        stale_from = tally.oldest + self._stale_after
        is_stale = not_renewed or now > stale_from
        facts = Facts(
            moment=datetime.fromtimestamp(tally.newest, UTC) if ranking else None,
            is_stale=is_stale,
            ranking_source=ranking.source if ranking else None,
            price_sources=tuple(sorted(tally.sources, key=self._preference)),
        )
        body = b"".join((encoding.head(facts), encoding.between.join(rows), encoding.end))
        due = self._due(tally) if ranking and ranking.covers(limit) else -math.inf
        # What is due is served as it is until something changes.
        times = (due, tally.looks_again, math.inf if is_stale else stale_from)
        headers = list_headers(format_, facts, limit=limit, moment=None)
        return TopAnswer(
            body=body,
            etag=etag_of(body + repr((sorted(headers.items()), is_stale)).encode()),
            last_modified=http_date(math.floor(min(tally.newest, now))),
            fetched_second=math.floor(tally.oldest),
            modified_second=None,
            is_stale=is_stale,
            content_type=encoding.content_type,
            more_headers=headers,
            version=version,
            holds_until=min((one for one in times if one > now), default=math.inf)
            if not_renewed
            else min(times),
        )

    def _preference(self, source: str) -> tuple[int, str]:
        place = self._sources.index(source) if source in self._sources else len(self._sources)
        return (place, source)

"""The list of a past moment, as it was known then: streamed in chunks, so that memory does not grow with its length.

Nothing is held while a client reads: each chunk is a query of its own, and the past does not change between two. What the
head says of the whole list is known from one chunk where there is only one; else a first pass finds it and keeps no rows.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from api.preferred import preference
from api.top.formats import ENCODINGS, Facts, Format
from shared.domain.ranking import Ranking, TopRow
from shared.ports import Storage

CHUNK = 500
"""Rows of one query."""


@dataclass(slots=True)
class _Seen:
    """What the rows say of the list."""

    stale_before: datetime | None
    """None where the moment is so early that nothing can be older."""
    is_stale: bool = False
    sources: set[str] = field(default_factory=set)

    def add(self, rows: list[TopRow]) -> None:
        for row in rows:
            if row.source is not None:
                self.sources.add(row.source)
            if self.stale_before and row.observed_at is not None and row.observed_at < self.stale_before:
                self.is_stale = True


class PastTop:
    """One list. `facts` are known once `open` has returned."""

    def __init__(
        self,
        storage: Storage,
        *,
        moment: datetime,
        limit: int,
        sources: tuple[str, ...],
        stale_after: timedelta,
    ) -> None:
        self._storage = storage
        self._moment = moment
        self._limit = limit
        self._sources = sources
        self._stale_after = stale_after
        self._ranking: Ranking | None = None
        self._first: list[TopRow] = []
        self.facts = Facts(moment=moment, is_stale=False, ranking_source=None, price_sources=())

    async def open(self) -> None:
        """Reads what the head needs, and the first rows. Raises StorageUnavailable."""
        self._ranking = await self._storage.ranking_as_of(
            self._moment, places=self._limit, within=self._stale_after
        )
        if self._ranking is None:
            return
        seen = _Seen(self._stale_before())
        for start in range(0, self._length, CHUNK):
            rows = await self._rows(start)
            seen.add(rows)
            if start == 0:
                self._first = rows
        too_old = seen.stale_before is not None and self._ranking.observed_at < seen.stale_before
        self.facts = Facts(
            moment=self._moment,
            is_stale=seen.is_stale or too_old,
            ranking_source=self._ranking.source,
            price_sources=tuple(sorted(seen.sources, key=lambda one: preference(one, self._sources))),
        )

    async def chunks(self, format_: Format) -> AsyncGenerator[bytes]:
        """The body. Raises StorageUnavailable, but not before the first chunk."""
        encoding = ENCODINGS[format_]
        body = encoding.head(self.facts)
        rows = self._first
        for start in range(0, self._length, CHUNK):
            rows = rows or await self._rows(start)
            lines = [encoding.line(row.rank, encoding.tail(row)) for row in rows]
            rows = self._first = []
            yield body + encoding.between.join(lines)
            body = encoding.between
        yield (b"" if self._length else body) + encoding.end

    @property
    def _length(self) -> int:
        return min(self._limit, len(self._ranking.currency_ids)) if self._ranking else 0

    async def _rows(self, start: int) -> list[TopRow]:
        ids = self._ranking.currency_ids[start : min(start + CHUNK, self._limit)] if self._ranking else ()
        return await self._storage.top_as_of(
            ids, self._moment, first_rank=start + 1, sources=self._sources, stale_after=self._stale_after
        )

    def _stale_before(self) -> datetime | None:
        try:
            return self._moment - self._stale_after
        except OverflowError:
            return None

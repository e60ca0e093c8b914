"""Putting one encoded list of now together, some rows at a time, so that other requests need not wait for a long one."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from api.answers import http_date
from api.etags import etag_of
from api.preferred import preference
from api.top.encoded_lists import Key, TopAnswer
from api.top.formats import ENCODINGS, Facts, list_headers
from api.top.lines import Lines
from shared.domain.ranking import Ranking

TURN = 250
"""Rows that are put together before other work gets its turn: some 3 ms where all are new."""


class ListBuilder:
    """One list. Times in seconds since 1970."""

    def __init__(
        self,
        key: Key,
        *,
        lines: Lines,
        ranking: Ranking | None,
        sources: Sequence[str],
        version: int,
        now: float,
    ) -> None:
        self._limit, self._format, self._not_renewed = key
        self._encoding = ENCODINGS[self._format]
        self._lines = lines
        self._ranking = ranking
        self._sources = sources
        self._version = version
        self._now = now
        self._ids = ranking.currency_ids[: self._limit] if ranking else ()
        self._rows: list[bytes] = []
        self._oldest = self._newest = ranking.observed_at.timestamp() if ranking else now
        self._looks_again = math.inf
        self._price_sources: set[str] = set()

    def add_rows(self) -> bool:
        """The next TURN rows. Whether there are more."""
        start = len(self._rows)
        for rank, currency_id in enumerate(self._ids[start : start + TURN], start + 1):
            line = self._lines.of(currency_id, self._now)
            self._rows.append(self._encoding.line(rank, line.tail(self._format)))
            if line.rate is not None:
                self._oldest = min(self._oldest, line.fetched)
                self._newest = max(self._newest, line.fetched)
                self._looks_again = min(self._looks_again, line.looks_again)
                self._price_sources.add(line.rate.source)
        return len(self._rows) < len(self._ids)

    def finish(self, *, stale_after: float, aged_at: float) -> TopAnswer:
        """`aged_at`: when a part of it is older than the TTL."""
        stale_from = self._oldest + stale_after
        is_stale = self._not_renewed or self._now > stale_from
        facts = Facts(
            moment=datetime.fromtimestamp(self._newest, UTC) if self._ranking else None,
            is_stale=is_stale,
            ranking_source=self._ranking.source if self._ranking else None,
            price_sources=tuple(sorted(self._price_sources, key=lambda one: preference(one, self._sources))),
        )
        encoding = self._encoding
        body = b"".join((encoding.head(facts), encoding.between.join(self._rows), encoding.end))
        headers = list_headers(self._format, facts, limit=self._limit, moment=None)
        # What has passed already changes nothing any more: such a list is the same until something of it moves.
        times = (one for one in (aged_at, self._looks_again, stale_from) if one >= self._now)
        return TopAnswer(
            body=body,
            etag=etag_of(body + repr((sorted(headers.items()), is_stale)).encode()),
            last_modified=http_date(math.floor(min(self._newest, self._now))),
            fetched_second=math.floor(self._oldest),
            modified_second=None,
            is_stale=is_stale,
            content_type=encoding.content_type,
            more_headers=headers,
            version=self._version,
            holds_until=min(times, default=math.inf),
        )

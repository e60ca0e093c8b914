"""The market at a glance: the newest ranking that is known, with the last rates. From memory alone: whoever looks spends no
credits and renews nothing, and a page that many have open costs nothing but this.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

import orjson

from api.answers import RateAnswer
from api.catalog import Catalog
from api.encoding import Json
from api.memory import RateMemory
from api.top.current import CurrentTop
from shared.domain.currency import Currency
from shared.domain.ranking import Ranking
from shared.domain.times import iso

Row = tuple[Currency, RateAnswer | None]


class Market:
    """What memory knows of the top."""

    def __init__(self, *, memory: RateMemory, catalog: Catalog, top: CurrentTop, stale_after: int) -> None:
        """`stale_after`: seconds."""
        self._memory = memory
        self._catalog = catalog
        self._top = top
        self._stale_after = stale_after

    def encoded(self, limit: int, moment: datetime) -> bytes:
        """The answer as JSON. Before the first ranking the catalog's own order; empty before the first catalog."""
        now = moment.timestamp()
        ranking = self._top.ranking_of(limit, now)
        ranked = ranking.currency_ids if ranking else self._catalog.top(limit)
        rows = list(islice(self._rows(ranked, now), limit))
        return orjson.dumps(
            {
                "datetime": iso(moment),
                "ranked_at": iso(ranking.observed_at) if ranking else None,
                "ranked_by": ranking.source if ranking else None,
                "stale": self._is_stale(ranking, rows, now),
                "stale_after": self._stale_after,
                "results": [_row_json(rank, *row) for rank, row in enumerate(rows, start=1)],
            }
        )

    def _rows(self, currency_ids: Iterable[int], now: float) -> Iterator[Row]:
        """A ranking may name a currency that turned out to be another since, and that other too."""
        seen = set()
        for currency in map(self._catalog.current, currency_ids):
            if currency is not None and currency.id not in seen:
                seen.add(currency.id)
                yield currency, self._memory.held(currency.id, now)

    def _is_stale(self, ranking: Ranking | None, rows: Sequence[Row], now: float) -> bool:
        """Whether the ranking, or the newest of the rates, is too old. What is not there is missing, not stale."""
        fetched = [answer.rate.fetched_at.timestamp() for _, answer in rows if answer is not None]
        oldest = now - self._stale_after
        is_old_order = ranking is not None and ranking.observed_at.timestamp() < oldest
        return is_old_order or (bool(fetched) and max(fetched) < oldest)


def _row_json(rank: int, currency: Currency, answer: RateAnswer | None) -> Json:
    return {
        "rank": rank,
        "currency": currency.id,
        "symbol": currency.symbol,
        "name": currency.name,
        "rate": None if answer is None else orjson.Fragment(answer.body),
    }

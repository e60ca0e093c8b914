"""Rankings, and the top list as it was known at any moment.

In force at a moment: observed at or before it, and stored by then, or backfilled. Within one source the newest by
(observed_at, id) holds, so a correction replaces what it corrects.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.domain.ranking import Ranking, TopRow
from shared.domain.rate import MAX_AHEAD
from shared.errors import UnknownCurrency
from shared.storage.currencies import known_ids
from shared.storage.engine import Dialect, OnEngine
from shared.storage.rates import EARLIEST, LATEST
from shared.storage.rows import ranking_of, top_row_of

_RANKINGS = "SELECT id, source, observed_at, stored_at, currency_ids, is_whole FROM rankings"
_NEWEST = " ORDER BY observed_at DESC, id DESC LIMIT 1"
_IN_FORCE = " WHERE observed_at <= $1 AND stored_at <= $1"
_LONG_ENOUGH = {
    Dialect.POSTGRESQL: " AND observed_at >= $2 AND (is_whole OR cardinality(currency_ids) >= $3)",
    Dialect.SQLITE: " AND observed_at >= $2 AND (is_whole OR json_array_length(currency_ids) >= $3)",
}
# The newest rate of a currency in force: one look-up in its index, backwards from the moment.
_NEWEST_RATE = """
    (
        SELECT {value} FROM rates AS one
        WHERE currency_id = wanted.currency_id AND observed_at <= $2 AND (stored_at <= $2 OR backfilled) {also}
        ORDER BY observed_at DESC, id DESC LIMIT 1
    )
"""
_OF_SOURCE = "AND observed_at >= $3 AND source = ${number}"
# Both force the order of the joins, for each currency needs a look-up of its own. Left to itself SQLite was measured to
# take 163 ms, and PostgreSQL looks up all again for each column that is taken of a row.
_TOP = {
    Dialect.POSTGRESQL: """
        SELECT c.id, c.symbol, c.name, CAST((price.rate).price_usd AS text), (price.rate).source, (price.rate).observed_at
        FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted (currency_id, place)
        JOIN currencies c ON c.id = wanted.currency_id
        CROSS JOIN LATERAL (SELECT {newest} AS rate OFFSET 0) AS price
        ORDER BY wanted.place
    """,
    Dialect.SQLITE: """
        SELECT c.id, c.symbol, c.name, price.price_usd, price.source, price.observed_at
        FROM (SELECT value AS currency_id, key AS place FROM json_each($1)) AS wanted
        CROSS JOIN currencies c ON c.id = wanted.currency_id
        LEFT JOIN rates AS price ON price.id = {newest}
        ORDER BY wanted.place
    """,
}
_VALUES = {Dialect.POSTGRESQL: "one", Dialect.SQLITE: "id"}
"""What stands for a rate: SQLite has no rows as values."""


class Rankings(OnEngine):
    """The methods of the storage that write and read rankings."""

    async def record_ranking(
        self,
        source: str,
        currency_ids: Sequence[int],
        *,
        is_whole: bool,
        observed_at: datetime,
        stored_at: datetime,
    ) -> Ranking:
        """Arrays hold no references, so the ids are checked here."""
        if len(set(currency_ids)) != len(currency_ids):
            raise ValueError("a currency stands in the ranking twice")
        async with self._engine.transaction() as session:
            known = await known_ids(session, self._engine.dialect, currency_ids)
            if len(known) != len(currency_ids):
                raise UnknownCurrency
            number = await session.fetchval(
                """
                INSERT INTO rankings (source, observed_at, stored_at, currency_ids, is_whole)
                VALUES ($1, $2, $3, $4, $5) RETURNING id
                """,
                source,
                observed_at,
                stored_at,
                list(currency_ids),
                is_whole,
            )
        return Ranking(
            id=number,
            source=source,
            observed_at=observed_at,
            stored_at=stored_at,
            currency_ids=tuple(currency_ids),
            is_whole=is_whole,
        )

    async def last_ranking(self, *, now: datetime | None = None) -> Ranking | None:
        latest = LATEST if now is None else now + MAX_AHEAD
        row = await self._engine.fetchrow(_RANKINGS + " WHERE observed_at <= $1" + _NEWEST, latest)
        return None if row is None else ranking_of(row)

    async def ranking_as_of(
        self, moment: datetime, *, places: int = 1, within: timedelta = timedelta(0)
    ) -> Ranking | None:
        row = await self._engine.fetchrow(_RANKINGS + _IN_FORCE + _NEWEST, moment)
        newest = None if row is None else ranking_of(row)
        if newest is None or newest.covers(places):
            return newest
        row = await self._engine.fetchrow(
            _RANKINGS + _IN_FORCE + _LONG_ENOUGH[self._engine.dialect] + _NEWEST,
            moment,
            _before(moment, within),
            places,
        )
        return newest if row is None else ranking_of(row)

    async def top_as_of(
        self,
        currency_ids: Sequence[int],
        moment: datetime,
        *,
        first_rank: int,
        sources: Sequence[str],
        stale_after: timedelta,
    ) -> list[TopRow]:
        """In one statement, whose text depends on how many sources there are. One look-up follows another only where
        that found nothing."""
        preferred = (_before(moment, stale_after), *sources) if sources else ()
        sql = _top(self._engine.dialect, len(sources))
        rows = await self._engine.fetch(sql, list(currency_ids), moment, *preferred)
        if len(rows) != len(currency_ids):
            raise UnknownCurrency
        return [top_row_of(row, rank=rank) for rank, row in enumerate(rows, first_rank)]


def _before(moment: datetime, by: timedelta) -> datetime:
    """No earlier than any database's first time."""
    return max(moment - min(by, max(moment - EARLIEST, timedelta(0))), EARLIEST)


def _top(dialect: Dialect, sources: int) -> str:
    further = [_OF_SOURCE.format(number=number) for number in range(4, 4 + sources)]
    newest = [_NEWEST_RATE.format(value=_VALUES[dialect], also=also) for also in (*further, "")]
    return _TOP[dialect].format(newest=f"coalesce({', '.join(newest)}, NULL)")

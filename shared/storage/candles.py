"""Candles, made of the rates themselves: what is asked for is counted anew, so no correction leaves one wrong.

Both databases read them from the index on (currency_id, observed_at, source, price) alone, which lies in one piece for each
currency; the rates of a month lie on a page each. Only a candle whose first or last moment has several prices needs the table,
for ids are not in the index of PostgreSQL.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from shared.domain.candle import Candle, Closes, Interval
from shared.storage.engine import Dialect, OnEngine, placeholders
from shared.storage.rows import candle_of, decimal_of, time_of
from shared.storage.text import is_searchable

SPARED = timedelta(days=30)
"""SQLite has one connection that reads. Of longer stretches it reads so much at a time, and others between: some 20 ms for a
rate a minute."""

# The price at the edge of a candle by (observed_at, id). Where all prices of that moment are one, the index tells it.
_EDGE = """
    (
        SELECT CASE WHEN min(price_usd) = max(price_usd) THEN min(price_usd) ELSE (
            SELECT price_usd FROM rates
            WHERE currency_id = {currency} AND observed_at >= $2 AND observed_at < $3 AND observed_at = {moment} {also}
            ORDER BY id {direction} LIMIT 1
        ) END
        FROM rates
        WHERE currency_id = {currency} AND observed_at >= $2 AND observed_at < $3 AND observed_at = {moment} {also}
    )
"""
_OF_POSTGRESQL = """
    WITH parts AS (
        SELECT date_bin($4::interval, observed_at, $2) AS time, source, count(*) AS count, min(price_usd) AS low,
            max(price_usd) AS high, min(observed_at) AS opened_at, max(observed_at) AS closed_at
        FROM rates WHERE currency_id = $1 AND observed_at >= $2 AND observed_at < $3 {also}
        GROUP BY 1, 2
    ), spans AS (
        SELECT time, CAST(sum(count) AS bigint) AS count, min(low) AS low, max(high) AS high,
            min(opened_at) AS opened_at, max(closed_at) AS closed_at, array_agg(source) AS sources
        FROM parts GROUP BY 1
    )
    SELECT time, {opened}, high, low, {closed}, count, sources FROM spans ORDER BY time
"""
# The text in the index is used word by word as it stands there: a look into the table for each rate takes ten times as long.
_PRICE = "CASE WHEN instr(price_usd, '.') > 0 THEN rtrim(rtrim(price_usd, '0'), '.') ELSE price_usd END"
_POINT = f"instr({_PRICE}, '.')"
_WITHIN = "currency_id = {currency} AND observed_at >= time AND observed_at < time + $4 {also}"
_TIMES = (
    "times (time) AS (SELECT $2 WHERE $2 < $3 UNION ALL SELECT time + $4 FROM times WHERE time + $4 < $3)"
)
_EDGE_OF_SQLITE = f"""
    (SELECT {_PRICE} FROM rates WHERE {_WITHIN} ORDER BY observed_at {{direction}}, id {{direction}} LIMIT 1)
"""  # noqa: S608 - our own texts
# As texts prices compare exactly where all have the point at the same place, as they nearly always do within a candle; else
# with the number of their whole digits ahead of them, which takes twice as long.
_EXTREME = f"""
    CASE WHEN json_extract(told, '$[3]') = json_extract(told, '$[4]') AND json_extract(told, '$[3]') > 0
    THEN json_extract(told, '$[{{place}}]') ELSE (
        SELECT substr({{extreme}}(char(64 + instr(({_PRICE}) || '.', '.')) || ({_PRICE})), 2)
        FROM rates WHERE {_WITHIN}
    ) END
"""  # noqa: S608 - our own texts
# A scan for each candle needs no sorting.
_OF_SQLITE = f"""
    WITH RECURSIVE {_TIMES}, spans AS MATERIALIZED (
        SELECT time, (
            SELECT json_array(count(*), min({_PRICE}), max({_PRICE}), min({_POINT}), max({_POINT}),
                json_group_array(DISTINCT source))
            FROM rates WHERE {_WITHIN}
        ) AS told
        FROM times
    )
    SELECT time, {{opened}}, {{high}}, {{low}}, {{closed}}, json_extract(told, '$[0]'), json_extract(told, '$[5]')
    FROM spans WHERE json_extract(told, '$[0]') > 0 ORDER BY time
"""  # noqa: S608 - our own texts
_CLOSES = {
    Dialect.POSTGRESQL: """
        SELECT currency_id, time, {closed}
        FROM unnest($1::bigint[]) AS wanted (currency_id) CROSS JOIN LATERAL (
            SELECT date_bin($4::interval, observed_at, $2) AS time, max(observed_at) AS closed_at
            FROM rates WHERE rates.currency_id = wanted.currency_id AND observed_at >= $2 AND observed_at < $3
            GROUP BY 1
        ) AS spans
    """,
    Dialect.SQLITE: f"""
        WITH RECURSIVE {_TIMES}, closes AS MATERIALIZED (
            SELECT value AS currency_id, time, {{closed}} AS price FROM json_each($1) AS wanted CROSS JOIN times
        )
        SELECT currency_id, time, price FROM closes WHERE price IS NOT NULL
    """,  # noqa: S608 - our own texts
}
_OF_SOURCE = "AND source = $5"


def candles_sql(dialect: Dialect, *, of_source: bool) -> str:
    """$1: currency, $2: since, $3: until, $4: length of a candle, $5: source."""
    also = _OF_SOURCE if of_source else ""
    if dialect is Dialect.SQLITE:
        opened = _EDGE_OF_SQLITE.format(currency="$1", direction="", also=also)
        closed = _EDGE_OF_SQLITE.format(currency="$1", direction="DESC", also=also)
        high = _EXTREME.format(currency="$1", place=2, extreme="max", also=also)
        low = _EXTREME.format(currency="$1", place=1, extreme="min", also=also)
        return _OF_SQLITE.format(currency="$1", opened=opened, high=high, low=low, closed=closed, also=also)
    opened = _EDGE.format(currency="$1", moment="opened_at", direction="", also=also)
    closed = _EDGE.format(currency="$1", moment="closed_at", direction="DESC", also=also)
    return _OF_POSTGRESQL.format(opened=opened, closed=closed, also=also)


def closes_sql(dialect: Dialect) -> str:
    if dialect is Dialect.SQLITE:
        closed = _EDGE_OF_SQLITE.format(currency="wanted.value", direction="DESC", also="")
    else:
        closed = _EDGE.format(currency="wanted.currency_id", moment="closed_at", direction="DESC", also="")
    return _CLOSES[dialect].format(closed=closed)


class Candles(OnEngine):
    """The methods of the storage that read candles."""

    async def first_observed_at(self, currency_id: int, *, source: str | None = None) -> datetime | None:
        if source is None:
            value = await self._engine.fetchval(
                "SELECT observed_at FROM rates WHERE currency_id = $1 ORDER BY observed_at LIMIT 1",
                currency_id,
            )
        elif is_searchable(source):
            # The last rates say whether there is any; else all of a currency's would be looked through for nothing.
            value = await self._engine.fetchval(
                """
                SELECT observed_at FROM rates WHERE currency_id = $1 AND source = $2
                    AND EXISTS (SELECT 1 FROM last_rates WHERE currency_id = $1 AND source = $2)
                ORDER BY observed_at LIMIT 1
                """,
                currency_id,
                source,
            )
        else:
            value = None
        return None if value is None else time_of(value)

    async def candles(
        self,
        currency_id: int,
        *,
        interval: Interval,
        since: datetime,
        until: datetime,
        source: str | None = None,
    ) -> list[Candle]:
        if source is not None and not is_searchable(source):
            return []
        sql = candles_sql(self._engine.dialect, of_source=source is not None)
        further = () if source is None else (source,)
        spared = until - since
        if self._engine.dialect is Dialect.SQLITE:
            spared = max(SPARED // interval.length, 1) * interval.length
        candles: list[Candle] = []
        while since < until:
            end = min(until, since + spared)
            rows = await self._engine.fetch(sql, currency_id, since, end, interval.length, *further)
            candles += [candle_of(row) for row in rows]
            since = end
        return candles

    async def closes(
        self, currency_ids: Sequence[int], *, interval: Interval, since: datetime, until: datetime
    ) -> dict[int, Closes]:
        ids = list(dict.fromkeys(currency_ids))
        sql = closes_sql(self._engine.dialect)
        prices: dict[int, dict[datetime, Decimal]] = {one: {} for one in ids}
        for currency_id, time, price in await self._engine.fetch(sql, ids, since, until, interval.length):
            prices[currency_id][time_of(time)] = decimal_of(price)
        sources: dict[int, set[str]] = {one: set() for one in ids}
        if ids:
            rows = await self._engine.fetch(
                f"""
                SELECT currency_id, source FROM last_rates
                WHERE currency_id IN ({placeholders(len(ids))}) AND observed_at >= ${len(ids) + 1}
                """,  # noqa: S608 - our own texts
                *ids,
                since,
            )
            for currency_id, source in rows:
                sources[currency_id].add(source)
        return {one: Closes(prices[one], frozenset(sources[one])) for one in ids}

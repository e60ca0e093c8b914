"""Rates as they are read: one by its id, the last ones, and history in pages.

`fetched_at` is the last confirmation where the row is the last of its (currency, source), else the time it was stored.
"""

from collections.abc import Collection
from datetime import UTC, datetime

from shared.domain.currency import LARGEST_ID
from shared.domain.page import Cursor, Page
from shared.domain.rate import Rate
from shared.domain.times import micros, time_from_micros
from shared.storage.engine import OnEngine, Session, placeholders
from shared.storage.paging import page_of
from shared.storage.rows import rate_of
from shared.storage.text import is_searchable

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""No observation lies before or after these; both databases take them."""
MOST_NAMED = 100
"""Up to so many currencies are named in a statement; the last rates of more are picked from those of all."""

_HISTORY = """
    SELECT r.id, r.currency_id, c.symbol, r.price_usd, r.percent_change_1h, r.percent_change_24h, r.volume_24h,
        r.market_cap, r.source, r.observed_at, coalesce(l.fetched_at, r.stored_at), r.stored_at
    FROM rates r JOIN currencies c ON c.id = r.currency_id
    LEFT JOIN last_rates l ON l.currency_id = r.currency_id AND l.source = r.source AND l.rate_id = r.id
"""
_LAST = """
    SELECT l.rate_id, l.currency_id, c.symbol, l.price_usd, l.percent_change_1h, l.percent_change_24h, l.volume_24h,
        l.market_cap, l.source, l.observed_at, l.fetched_at, l.stored_at
    FROM last_rates l JOIN currencies c ON c.id = l.currency_id
"""


class Rates(OnEngine):
    """The methods of the storage that read rates."""

    async def rate(self, rate_id: int) -> Rate | None:
        if not 0 < rate_id <= LARGEST_ID:
            return None
        row = await self._engine.fetchrow(_HISTORY + " WHERE r.id = $1", rate_id)
        return None if row is None else rate_of(row)

    async def last_rates(self, currency_ids: Collection[int] | None = None) -> list[Rate]:
        return await read_last_rates(self._engine, currency_ids, with_merged=False)

    async def settle_kind(self, *, is_simulated: bool) -> bool:
        await self._engine.execute(
            "INSERT INTO kind_of_rates (id, is_simulated) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
            is_simulated,
        )
        return bool(await self._engine.fetchval("SELECT is_simulated FROM kind_of_rates"))

    async def rates_page(
        self,
        *,
        currency_id: int | None,
        source: str | None,
        since: datetime | None,
        until: datetime | None,
        cursor: Cursor | None,
        limit: int,
    ) -> Page[Rate]:
        """A filter that is absent is left out of the statement, so the database can choose the index that fits. The
        bounds on observed_at alone say which partitions are not needed."""
        if source is not None and not is_searchable(source):
            return Page((), has_next=False, has_previous=False)
        backwards = cursor is not None and cursor.backwards
        since, until = since or EARLIEST, until or LATEST
        sql = _HISTORY + " WHERE r.observed_at >= $1 AND r.observed_at < $2"
        args: list[object] = [since, until, limit + 1]
        if cursor is not None:
            args += [_time_of_key(cursor.key[0]), cursor.key[1]]
            if backwards:
                sql += " AND r.observed_at >= $4 AND (r.observed_at, r.id) > ($4, $5)"
            else:
                sql += " AND r.observed_at <= $4 AND (r.observed_at, r.id) < ($4, $5)"
        if currency_id is not None:
            args.append(currency_id)
            sql += f" AND r.currency_id = ${len(args)}"
        if source is not None:
            args.append(source)
            sql += f" AND r.source = ${len(args)}"
        if backwards:
            sql += " ORDER BY r.observed_at, r.id LIMIT $3"
        else:
            sql += " ORDER BY r.observed_at DESC, r.id DESC LIMIT $3"
        rows = await self._engine.fetch(sql, *args)
        return page_of([rate_of(row) for row in rows], cursor=cursor, limit=limit)


async def read_last_rates(
    session: Session, currency_ids: Collection[int] | None = None, *, with_merged: bool = True
) -> list[Rate]:
    """See Storage.last_rates; also within a transaction. `with_merged`: also of currencies that are merged into another."""
    last = _LAST + (" WHERE true" if with_merged else " WHERE c.merged_into IS NULL")
    if currency_ids is None:
        return [rate_of(row) for row in await session.fetch(last)]
    wanted = {one for one in currency_ids if 0 < one <= LARGEST_ID}
    if len(wanted) > MOST_NAMED:
        rows = await session.fetch(last)
        return [rate_of(row) for row in rows if row[1] in wanted]
    if not wanted:
        return []
    rows = await session.fetch(last + f" AND l.currency_id IN ({placeholders(len(wanted))})", *sorted(wanted))
    return [rate_of(row) for row in rows]


def _time_of_key(key: int) -> datetime:
    """The time in a cursor. Somebody may have made the cursor up, so it is brought into the range of times."""
    return time_from_micros(min(max(key, micros(EARLIEST)), micros(LATEST)))

"""Demand: when somebody last asked for each currency. Hints of what to keep fresh, from all API processes."""

from collections.abc import Mapping
from datetime import datetime

from shared.domain.currency import LARGEST_ID
from shared.domain.rate import MAX_AHEAD
from shared.storage.engine import Dialect, OnEngine
from shared.storage.rates import LATEST

# Both lock rows in the order of their ids, so those that record and those that forget at once never wait in a circle.
_RECORD = """
    INSERT INTO demand (currency_id, asked_at) SELECT id, $2 FROM currencies WHERE id = $1
    ON CONFLICT (currency_id) DO UPDATE SET asked_at = excluded.asked_at
        WHERE demand.asked_at < excluded.asked_at OR demand.asked_at > $3
"""
_FORGET = {
    Dialect.POSTGRESQL: """
        DELETE FROM demand WHERE currency_id IN (
            SELECT currency_id FROM demand WHERE asked_at < $1 ORDER BY currency_id FOR UPDATE
        )
    """,
    Dialect.SQLITE: "DELETE FROM demand WHERE asked_at < $1",
}


class Demand(OnEngine):
    """The demand methods of the storage."""

    async def record_demand(self, asked: Mapping[int, datetime], *, now: datetime | None = None) -> None:
        rows = [(one, asked[one], _latest(now)) for one in sorted(asked) if 0 < one <= LARGEST_ID]
        await self._engine.executemany(_RECORD, rows)

    async def in_demand_since(
        self, moment: datetime, *, limit: int, now: datetime | None = None
    ) -> list[int]:
        rows = await self._engine.fetch(
            """
            SELECT d.currency_id FROM demand d JOIN currencies c ON c.id = d.currency_id
            WHERE d.asked_at >= $1 AND d.asked_at <= $2 AND c.merged_into IS NULL
            ORDER BY d.asked_at DESC, d.currency_id LIMIT $3
            """,
            moment,
            _latest(now),
            limit,
        )
        return [row[0] for row in rows]

    async def forget_demand(self, *, before: datetime) -> int:
        return await self._engine.execute(_FORGET[self._engine.dialect], before)


def _latest(now: datetime | None) -> datetime:
    """The last time that can be true."""
    return LATEST if now is None else now + MAX_AHEAD

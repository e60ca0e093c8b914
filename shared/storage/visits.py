"""The journal of visits."""

from datetime import datetime

from shared.domain.visit import Visit
from shared.storage.engine import OnEngine, Session
from shared.storage.rows import visit_of
from shared.storage.text import storable


def columns_of(visit: Visit) -> tuple[object, ...]:
    """source, reason, what, started_at, duration, outcome, credits, rates_stored, error.

    `error` may quote what a source sent, so it is made storable.
    """
    return (
        visit.source,
        visit.reason.value,
        visit.what,
        visit.started_at,
        visit.duration,
        visit.outcome.value,
        visit.credits,
        visit.rates_stored,
        None if visit.error is None else storable(visit.error),
    )


async def write_visit(session: Session, visit: Visit) -> None:
    """See Storage.record_visit; also within a transaction."""
    await session.execute(
        """
        INSERT INTO visits
            (source, reason, what, started_at, duration, outcome, credits, rates_stored, error)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *columns_of(visit),
    )


class Visits(OnEngine):
    """The visit methods of the storage."""

    async def record_visit(self, visit: Visit) -> None:
        await write_visit(self._engine, visit)

    async def visits(self, *, limit: int) -> list[Visit]:
        rows = await self._engine.fetch(
            """
            SELECT source, reason, what, started_at, duration, outcome, credits, rates_stored, error
            FROM visits ORDER BY started_at DESC, id DESC LIMIT $1
            """,
            limit,
        )
        return [visit_of(row) for row in rows]

    async def forget_visits(self, *, before: datetime) -> int:
        return await self._engine.execute("DELETE FROM visits WHERE started_at < $1", before)

"""The monthly partitions of `rates` on PostgreSQL: made ahead, and whenever a row needs one that is not there.

A partition is made as a table of its own and then attached, which keeps neither readers nor writers of the others
waiting. The table is empty and its CHECK says what it may hold, so attaching scans nothing.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

import asyncpg
import structlog

from shared.domain.allowance import next_month
from shared.storage.postgresql import PostgresEngine

T = TypeVar("T")
log = structlog.get_logger(__name__)

MONTHS_AHEAD = 3
LOCK_KEY = 0x66726573_68706172
"""Of PostgreSQL's advisory lock: "freshpar" in ASCII."""


def month_of(time: datetime) -> datetime:
    """The first moment of its UTC month."""
    time = time.astimezone(UTC)
    return datetime(time.year, time.month, 1, tzinfo=UTC)


class Partitions:
    """The partitions of `rates`."""

    def __init__(self, engine: PostgresEngine) -> None:
        self._engine = engine

    async def prepare(self, *, now: datetime) -> None:
        """Makes those of this month and of the next three."""
        months = [month_of(now)]
        while len(months) <= MONTHS_AHEAD:
            months.append(next_month(months[-1]))
        await self._make(months)

    async def retry(
        self, write: Callable[[], Awaitable[T]], *, months: Callable[[], Iterable[datetime]]
    ) -> T:
        """Writes rows of these months, and once more where a partition was missing."""
        try:
            return await write()
        except asyncpg.CheckViolationError as error:
            if not _is_missing_partition(error):
                raise
        await self._make(sorted(months()))
        return await write()

    async def _make(self, months: Iterable[datetime]) -> None:
        """Several processes may want the same one: the lock makes them take turns, in one transaction per month."""
        for month in months:
            name, start, end = f"rates_{month:%Y_%m}", month.isoformat(), next_month(month).isoformat()
            async with self._engine.transaction() as session:
                await session.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
                if await session.fetchval("SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass($1)", name):
                    continue
                await session.execute(
                    f"""
                    CREATE TABLE {name} (
                        LIKE rates INCLUDING ALL,
                        CHECK (observed_at >= '{start}' AND observed_at < '{end}')
                    )
                    """
                )
                await session.execute(
                    f"ALTER TABLE rates ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')"
                )
            log.info("partition made", table=name)


def _is_missing_partition(error: asyncpg.CheckViolationError) -> bool:
    """PostgreSQL reports it as a violated check of the parent table that has no name."""
    return error.table_name == "rates" and not error.constraint_name

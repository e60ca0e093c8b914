"""The load of deals on PostgreSQL: one COPY of the file's own lines, each with the id of its upload put before it.

Nothing is indexed: the summary is one scan in the same transaction, and what readers need later is in it.
"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from shared.domain.deals import LONGEST_TOP, DealsBatch
from shared.storage.deals import LONGEST_SUMMARY, DealsLoad, too_long_summary
from shared.storage.engine import Session
from shared.storage.postgresql import PostgresEngine, PostgresSession

LOAD_SECONDS = 600.0
"""Of one load, and of waiting for those before it. The default cap of a file takes some ten seconds."""
FORGET_SECONDS = 240.0
"""As deleting takes no longer than loading; it fits into the lease of the job that does it."""
LOAD_LOCK_KEY = 0x66726573_686C6F64
FORGET_LOCK_KEY = 0x66726573_68666764
"""Of PostgreSQL's advisory lock: "freshlod" and "freshfgd" in ASCII."""
_WORKING_MEMORY = "64MB"
"""For the sums of a load: the default of 4 MB sends them to disk from some ten thousand customers on."""

# A load draws its id under the lock that it holds to its end, so no deal has a greater one, and >= finds what = would. But nothing is known of the new deals when the
# statement is planned: of = the planner takes 0.5 % of the table for granted, and sorts on disk what it should hash (measured:
# 2.2 s instead of 0.4 s for a million).
# The names are measured before they are put together, and what they make together before it is sent: no size of names may
# fill this process, or be too large for a text of PostgreSQL.
_SUMMARY = """
WITH top AS MATERIALIZED (
    SELECT customer, sum(total) AS spent FROM deals WHERE upload_id >= $1
    GROUP BY customer ORDER BY spent DESC, customer LIMIT $2
),
bought AS MATERIALIZED (
    SELECT DISTINCT customer, item FROM deals JOIN top USING (customer) WHERE upload_id >= $1
),
shared AS MATERIALIZED (
    SELECT customer, item FROM bought
    JOIN (SELECT item FROM bought GROUP BY item HAVING count(*) > 1) AS of_several USING (item)
),
named AS MATERIALIZED (
    SELECT (SELECT coalesce(sum(octet_length(customer)), 0) FROM top)
        + (SELECT coalesce(sum(octet_length(item)), 0) FROM shared) AS bytes
),
summary AS MATERIALIZED (
    SELECT coalesce(
        json_agg(
            json_build_array(customer, trim_scale(spent)::text, coalesce(items, '[]'::json)) ORDER BY spent DESC, customer
        ),
        '[]'::json
    )::text AS told
    FROM named
    JOIN top ON named.bytes <= $3
    LEFT JOIN (SELECT customer, json_agg(item ORDER BY item) AS items FROM shared GROUP BY customer) AS gems USING (customer)
)
SELECT told FROM named CROSS JOIN summary WHERE named.bytes <= $3 AND octet_length(told) <= $3
"""


class PostgresDealsWriter:
    """See `shared.storage.deals.DealsWriter`."""

    def __init__(self, engine: PostgresEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def load(self) -> AsyncIterator[DealsLoad]:
        async with self._engine.long_transaction(seconds=LOAD_SECONDS) as session:
            await session.execute("SELECT pg_advisory_xact_lock($1)", LOAD_LOCK_KEY)
            yield _PostgresLoad(session)

    async def forget_replaced(self) -> int:
        """A load that is at work is not seen from here; what it replaces is left for the next time. So is everything where
        another process is at it."""
        async with self._engine.long_transaction(seconds=FORGET_SECONDS) as session:
            if not await session.fetchval("SELECT pg_try_advisory_xact_lock($1)", FORGET_LOCK_KEY):
                return 0
            return await session.execute(
                "DELETE FROM deals WHERE upload_id <> (SELECT id FROM deal_uploads WHERE state = 'current')"
            )


class _PostgresLoad:
    def __init__(self, session: PostgresSession) -> None:
        self._session = session

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """The load is one."""
        return nullcontext(self._session)

    async def store(self, upload_id: int, columns: Sequence[str], batches: AsyncIterator[DealsBatch]) -> int:
        lines = _Lines(upload_id, batches)
        return await self._session.copy_csv("deals", columns=("upload_id", *columns), source=lines)

    async def summary(self, upload_id: int) -> str:
        await self._session.execute("SELECT set_config('work_mem', $1, true)", _WORKING_MEMORY)
        told: str | None = await self._session.fetchval(_SUMMARY, upload_id, LONGEST_TOP, LONGEST_SUMMARY)
        if told is None:
            raise too_long_summary()
        return told


class _Lines:
    """The batches as CSV, with the id of the upload as the first cell of each line. No generator: the driver may ask in
    another task than the one that gives up."""

    def __init__(self, upload_id: int, batches: AsyncIterator[DealsBatch]) -> None:
        self._upload_id = upload_id
        self._batches = batches

    def __aiter__(self) -> "_Lines":
        return self

    async def __anext__(self) -> bytes:
        batch = await anext(self._batches)
        if not batch.text:
            return await asyncio.to_thread(_written, self._upload_id, batch)
        # A default of the column would take the server a quarter longer.
        start = f"{self._upload_id},"
        return (start + batch.text[:-1].replace("\n", "\n" + start) + "\n").encode()


def _written(upload_id: int, batch: DealsBatch) -> bytes:
    """Every cell quoted: so no line break, no backslash and no text is anything but data to COPY."""
    lines = io.StringIO(newline="")
    csv.writer(lines, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        (upload_id, *row) for row in batch.rows
    )
    return lines.getvalue().encode()

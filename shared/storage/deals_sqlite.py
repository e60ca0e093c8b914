"""The load of deals on SQLite: batches in one transaction of the one writer, summed up as they come.

Sums past some thousands of customers go into a temporary table, so memory does not grow with the file.
"""

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal, localcontext

from shared.domain.deals import LONGEST_TOP, DealRow, DealsBatch
from shared.domain.times import micros
from shared.storage.deals import LONGEST_SUMMARY, DealsLoad, too_long_summary
from shared.storage.engine import Session
from shared.storage.exact_sums import EXACT, sortable, unpadded
from shared.storage.sqlite import SqliteEngine, SqliteSession

CUSTOMERS_IN_MEMORY = 20_000
CHARACTERS_IN_MEMORY = 2 * 1024 * 1024
"""Of their names."""
FORGOTTEN_AT_ONCE = 5000
"""Deals. Some milliseconds: rates are written between."""
_QUOTES = 3
"""Bytes that a text at least adds to JSON: two quotes and a comma."""
_ZERO = Decimal(0)

_SUMS = "CREATE TEMP TABLE deal_sums (customer TEXT PRIMARY KEY, spent TEXT NOT NULL) STRICT"
_ADD_SUMS = """
    INSERT INTO deal_sums (customer, spent) VALUES (?, ?)
    ON CONFLICT (customer) DO UPDATE SET spent = exact_sum(spent, excluded.spent)
"""
_TOP = (
    "CREATE TEMP TABLE deal_top (place INTEGER PRIMARY KEY, customer TEXT NOT NULL UNIQUE, spent TEXT NOT NULL) STRICT",
    f"""
    INSERT INTO deal_top (customer, spent)
    SELECT customer, spent FROM deal_sums ORDER BY spent DESC, customer LIMIT {LONGEST_TOP}
    """,  # noqa: S608 - a number
)
# CROSS JOIN forces the order: one scan of the deals, and a look-up among the top for each.
_GEMS = """
    CREATE TEMP TABLE deal_gems AS
    WITH bought AS MATERIALIZED (
        SELECT DISTINCT t.place, d.item FROM deals d CROSS JOIN deal_top t ON t.customer = d.customer
        WHERE d.upload_id = $1
    )
    SELECT place, item FROM bought WHERE item IN (SELECT item FROM bought GROUP BY item HAVING count(*) > 1)
"""
_BYTES = f"""
    SELECT (SELECT total(length(CAST(customer AS BLOB)) + {_QUOTES}) FROM deal_top)
        + (SELECT total(length(CAST(item AS BLOB)) + {_QUOTES}) FROM deal_gems)
"""  # noqa: S608 - a number
_TEMPORARY = ("deal_sums", "deal_top", "deal_gems")
# The oldest deals come first, in the order of their row ids, so a turn scans no more than it deletes.
_FORGET = """
    DELETE FROM deals WHERE rowid IN (SELECT rowid FROM deals ORDER BY rowid LIMIT $1)
        AND upload_id <> (SELECT id FROM deal_uploads WHERE state = 'current')
"""


class SqliteDealsWriter:
    """See `shared.storage.deals.DealsWriter`."""

    def __init__(self, engine: SqliteEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def load(self) -> AsyncIterator[DealsLoad]:
        async with self._engine.transaction() as session:
            yield _SqliteLoad(session)

    async def forget_replaced(self) -> int:
        """In turns, for all who write take turns with it."""
        forgotten = 0
        while changed := await self._engine.execute(_FORGET, FORGOTTEN_AT_ONCE):
            forgotten += changed
        return forgotten


class _SqliteLoad:
    def __init__(self, session: SqliteSession) -> None:
        self._session = session

    @property
    def session(self) -> Session:
        return self._session

    async def store(self, upload_id: int, columns: Sequence[str], batches: AsyncIterator[DealsBatch]) -> int:
        insert = f"INSERT INTO deals (upload_id, {', '.join(columns)}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - checked
        await self._session.execute(_SUMS)
        sums, stored = _Sums(upload_id, columns), 0
        async for batch in batches:
            rows = await asyncio.to_thread(sums.add, batch)
            await self._session.insert(insert, rows)
            stored += len(rows)
            if sums.is_full:
                await self._session.insert(_ADD_SUMS, sums.taken())
        await self._session.insert(_ADD_SUMS, sums.taken())
        return stored

    async def summary(self, upload_id: int) -> str:
        for statement in _TOP:
            await self._session.execute(statement)
        await self._session.execute(_GEMS, upload_id)
        if await self._session.fetchval(_BYTES) > LONGEST_SUMMARY:
            raise too_long_summary()
        top = await self._session.fetch("SELECT customer, spent FROM deal_top ORDER BY place")
        gems = await self._session.fetch("SELECT place, item FROM deal_gems ORDER BY place, item")
        for table in _TEMPORARY:
            await self._session.execute(f"DROP TABLE temp.{table}")
        items: list[list[str]] = [[] for _ in top]
        for place, item in gems:
            items[place - 1].append(item)
        spenders = [[name, unpadded(spent), bought] for (name, spent), bought in zip(top, items, strict=True)]
        told = json.dumps(spenders, ensure_ascii=False)
        if len(told.encode()) > LONGEST_SUMMARY:
            raise too_long_summary()
        return told


class _Sums:
    """What customers spent, as far as it is not in the table yet."""

    def __init__(self, upload_id: int, columns: Sequence[str]) -> None:
        self._upload_id = upload_id
        self._customer, self._total, self._date = (
            columns.index(one) for one in ("customer", "total", "date")
        )
        self._sums: dict[str, Decimal] = {}
        self._characters = 0

    @property
    def is_full(self) -> bool:
        return len(self._sums) > CUSTOMERS_IN_MEMORY or self._characters > CHARACTERS_IN_MEMORY

    def add(self, batch: DealsBatch) -> list[tuple[object, ...]]:
        """The deals as rows of the table. Takes milliseconds, in a thread."""
        sums, prepared = self._sums, []
        with localcontext(EXACT):
            for row in _rows_of(batch):
                cells: list[object] = [self._upload_id, *row]
                customer = row[self._customer]
                if customer not in sums:
                    self._characters += len(customer)
                sums[customer] = sums.get(customer, _ZERO) + Decimal(row[self._total])
                cells[self._date + 1] = _micros_of(row[self._date])
                prepared.append(tuple(cells))
        return prepared

    def taken(self) -> list[tuple[str, str]]:
        """All of them, in the order of their names; none is left."""
        taken = [(customer, sortable(spent)) for customer, spent in sorted(self._sums.items())]
        self._sums.clear()
        self._characters = 0
        return taken


def _rows_of(batch: DealsBatch) -> Sequence[DealRow]:
    """Line feeds end the rows of a text, and nothing else."""
    return list(csv.reader(batch.text[:-1].split("\n"), strict=True)) if batch.text else batch.rows


def _micros_of(date: str) -> int:
    """Microseconds since 1970 of what `shared.domain.times.time_from_iso` reads. To change the zone first, as that does, would
    take most of the time that a deal takes here."""
    time = datetime.fromisoformat(date)
    return micros(time if time.tzinfo else time.replace(tzinfo=UTC))

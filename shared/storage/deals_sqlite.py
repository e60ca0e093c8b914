"""The load of deals on SQLite: short transactions, for all who write take turns with them, summed up as they come.

Nobody asks for the deals before the last of these transactions. A lock of this process keeps loads apart: no other
process uses the file. Sums past some thousands of customers go into a temporary table, so memory does not grow with
the file.
"""

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from itertools import chain

from shared.domain.deals import LONGEST_TOP, DealRow, DealsBatch
from shared.domain.times import micros
from shared.errors import StorageUnavailable
from shared.storage.deals import LOADING, LONGEST_SUMMARY, DealsLoad, too_long_summary
from shared.storage.engine import Session
from shared.storage.exact_sums import EXACT, sortable, unpadded
from shared.storage.sqlite import SqliteEngine, SqliteSession

CUSTOMERS_IN_MEMORY = 20_000
CHARACTERS_IN_MEMORY = 2 * 1024 * 1024
"""Of their names."""
BATCHES_AT_ONCE = 4
"""In one transaction: some ten thousand deals, in well below 100 milliseconds."""
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
_LAST_OF_TURN = "SELECT max(rowid) FROM (SELECT rowid FROM deals WHERE rowid > $1 ORDER BY rowid LIMIT $2)"
_FORGET = f"""
    DELETE FROM deals WHERE rowid > $1 AND rowid <= $2
        AND upload_id NOT IN (SELECT id FROM deal_uploads WHERE state IN ('current', '{LOADING}'))
"""  # noqa: S608 - a state
# Nobody else adds deals during a load, so its own are the last ones.
_TAKE_BACK = f"""
    DELETE FROM deals WHERE rowid IN (SELECT rowid FROM deals ORDER BY rowid DESC LIMIT $1)
        AND upload_id IN (SELECT id FROM deal_uploads WHERE state = '{LOADING}')
"""  # noqa: S608 - a state
_END_LOADS = f"DELETE FROM deal_uploads WHERE state = '{LOADING}'"  # noqa: S608 - a state


class SqliteDealsWriter:
    """See `shared.storage.deals.DealsWriter`."""

    def __init__(self, engine: SqliteEngine) -> None:
        self._engine = engine
        self._one_loads = asyncio.Lock()
        """Who holds it knows that no other load is at work, so what is said to be loading was left by a process that died."""

    @asynccontextmanager
    async def load(self) -> AsyncIterator[DealsLoad]:
        async with self._one_loads:
            if await self._engine.execute(_END_LOADS):
                await self._forget()
            try:
                async with self._engine.aside() as aside:
                    yield _SqliteLoad(self._engine, aside)
            except BaseException:
                # A file that cannot be written now is cleared up by the next load, or with the replaced deals.
                with suppress(StorageUnavailable):
                    await self._take_back()
                raise

    async def forget_replaced(self) -> int:
        if not self._one_loads.locked():
            async with self._one_loads:
                await self._engine.execute(_END_LOADS)
        return await self._forget()

    async def _forget(self) -> int:
        """In turns over all deals, for those that are to go may lie before the current ones and after them."""
        forgotten = after = 0
        while last := await self._engine.fetchval(_LAST_OF_TURN, after, FORGOTTEN_AT_ONCE):
            forgotten += await self._engine.execute(_FORGET, after, last)
            after = last
        return forgotten

    async def _take_back(self) -> None:
        while await self._engine.execute(_TAKE_BACK, FORGOTTEN_AT_ONCE):
            pass
        await self._engine.execute(_END_LOADS)


class _SqliteLoad:
    def __init__(self, engine: SqliteEngine, aside: SqliteSession) -> None:
        """`aside`: for the sums."""
        self._engine, self._aside = engine, aside

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        return self._engine.transaction()

    async def store(self, upload_id: int, columns: Sequence[str], batches: AsyncIterator[DealsBatch]) -> int:
        insert = f"INSERT INTO deals (upload_id, {', '.join(columns)}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - checked
        await self._aside.execute(_SUMS)
        sums, stored = _Sums(upload_id, columns), 0
        waiting: list[list[tuple[object, ...]]] = []
        async for batch in batches:
            waiting.append(await asyncio.to_thread(sums.add, batch))
            if len(waiting) == BATCHES_AT_ONCE:
                stored += await self._written(insert, waiting)
                waiting.clear()
            if sums.is_full:
                await self._keep(sums)
        await self._keep(sums)
        return stored + await self._written(insert, waiting)

    async def _written(self, insert: str, batches: Sequence[Sequence[Sequence[object]]]) -> int:
        rows = list(chain.from_iterable(batches))
        async with self._engine.transaction() as session:
            await session.insert(insert, rows)
        return len(rows)

    async def _keep(self, sums: "_Sums") -> None:
        await self._aside.insert(_ADD_SUMS, await asyncio.to_thread(sums.taken))

    async def summary(self, upload_id: int) -> str:
        for statement in _TOP:
            await self._aside.execute(statement)
        await self._aside.execute(_GEMS, upload_id)
        if await self._aside.fetchval(_BYTES) > LONGEST_SUMMARY:
            raise too_long_summary()
        top = await self._aside.fetch("SELECT customer, spent FROM deal_top ORDER BY place")
        gems = await self._aside.fetch("SELECT place, item FROM deal_gems ORDER BY place, item")
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
        """All of them, in the order of their names; none is left. Takes milliseconds, in a thread."""
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

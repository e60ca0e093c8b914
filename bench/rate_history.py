"""A long history of rates in both databases, made by the databases themselves: ten million take about a minute.

Every poll is stored whole, in the order of its currencies: the order of rows on the disk is that of a service. One currency
in twenty has prices of a second source alone, and one in a hundred has none.
"""

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from shared.domain.allowance import next_month
from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.times import micros
from shared.ports import Storage
from shared.settings import Settings
from shared.storage import open_storage

START = datetime(2026, 1, 1, tzinfo=UTC)
_RATE = """
    SELECT currency, CASE WHEN currency % 20 = 0 THEN 'cryptocompare' ELSE 'coinmarketcap' END,
        {price}, {observed}, {stored}
    FROM {times} CROSS JOIN {currencies}
    WHERE currency % 100 <> 50
    ORDER BY step, currency
"""
_COLUMNS = "(currency_id, source, price_usd, observed_at, stored_at)"
_PRICE = "currency + step * 7919 % 10007 * 0.0001"
_OF_POSTGRESQL = _RATE.format(
    price=_PRICE,
    observed="$1::timestamptz + step * $2::interval",
    stored="$1::timestamptz + step * $2::interval + currency % 21 * interval '1 s'",
    times="generate_series($3::bigint, $4::bigint) AS step",
    currencies="generate_series(1, $5::bigint) AS currency",
)
_OF_SQLITE = _RATE.format(
    price=f"CAST({_PRICE} AS TEXT)",
    observed=":start + step * :step",
    stored=":start + step * :step + currency % 21 * 1000000",
    times="times",
    currencies="currencies",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateHistory:
    """A rate of each currency at every step. A rate is stored up to 20 s after it was observed."""

    currencies: int
    """With prices or without; the catalog has ten times as many."""
    times: int
    step: timedelta = timedelta(minutes=15)

    @property
    def rates(self) -> int:
        return (self.currencies - self.currencies // 100) * self.times

    @property
    def end(self) -> datetime:
        return START + self.times * self.step


@dataclass(frozen=True, slots=True)
class Filled:
    """Both databases with all of a history."""

    postgresql: Storage
    sqlite: Storage
    connection: "asyncpg.Connection[asyncpg.Record]"
    """To the same PostgreSQL, past our storage."""


async def filled(stack: AsyncExitStack, database_url: str, file: Path, history: RateHistory) -> Filled:
    """They are filled side by side, SQLite in a thread. All is closed with the stack."""
    storages = []
    for url in (database_url, f"sqlite:///{file}"):
        # The end is the present, so the partitions that are made ahead lie behind the history.
        storage = await open_storage(Settings(database_url=url), clock=lambda: next_month(history.end))
        stack.push_async_callback(storage.close)
        await storage.record_catalog(CurrencyKind.CRYPTO, _catalog(10 * history.currencies), stored_at=START)
        storages.append(storage)
    connection = await asyncpg.connect(database_url, server_settings={"jit": "off"})
    stack.push_async_callback(connection.close)
    await asyncio.gather(
        _fill_postgresql(connection, history), asyncio.to_thread(_fill_sqlite, file, history)
    )
    return Filled(storages[0], storages[1], connection)


def _catalog(currencies: int) -> list[CatalogEntry]:
    return [
        CatalogEntry(
            Currency(
                id=number,
                name=f"Coin {number}",
                symbol=f"C{number}",
                slug=f"coin-{number}",
                rank=number,
                is_active=True,
            ),
            CurrencyMetadata(),
        )
        for number in range(1, currencies + 1)
    ]


async def _fill_postgresql(connection: "asyncpg.Connection[asyncpg.Record]", history: RateHistory) -> None:
    """A month at a time into a table of its own, whose indexes are made as it becomes a partition: half the time."""
    month, first = START, 0
    while first < history.times:
        end = next_month(month)
        following = min(history.times, -((START - end) // history.step))
        name = f"rates_{month:%Y_%m}"
        await connection.execute(f"CREATE TABLE {name} (LIKE rates INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        await connection.execute(
            f"INSERT INTO {name} {_COLUMNS} {_OF_POSTGRESQL}",
            *(START, history.step, first, following - 1, history.currencies),
        )
        await connection.execute(
            f"ALTER TABLE rates ATTACH PARTITION {name} FOR VALUES FROM ('{month.isoformat()}') TO ('{end.isoformat()}')"
        )
        month, first = end, following
    # What autovacuum does to a database that has been at work for a while.
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")


def _fill_sqlite(file: Path, history: RateHistory) -> None:
    """All in one transaction. Indexes are made at the end, from their own definitions."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'rates' AND sql IS NOT NULL"
        ).fetchall()
        connection.execute("PRAGMA cache_size = -200000")
        connection.execute("BEGIN IMMEDIATE")
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute(
            f"""
            WITH RECURSIVE
                times (step) AS (VALUES (0) UNION ALL SELECT step + 1 FROM times WHERE step < :times - 1),
                currencies (currency) AS (
                    VALUES (1) UNION ALL SELECT currency + 1 FROM currencies WHERE currency < :currencies
                )
            INSERT INTO rates {_COLUMNS} {_OF_SQLITE}
            """,
            {
                "start": micros(START),
                "step": history.step // timedelta(microseconds=1),
                "times": history.times,
                "currencies": history.currencies,
            },
        )
        for _, definition in indexes:
            connection.execute(definition)
        connection.execute("COMMIT")

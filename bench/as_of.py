"""The top 200 as of random moments of a history of 10 million rates: ranking, names and prices, through our storage.

python -m bench.as_of [--rounds 5] [--quick]

1000 of 10,000 currencies are polled every 15 minutes for 106 days, so PostgreSQL has them in four monthly partitions,
with four empty ones ahead. Two sources take part: one currency in twenty has prices of the second alone, and one in a
hundred has none. A rate is stored up to 20 s after it was observed, so in those seconds the one before is in force.
Beside it, on the same PostgreSQL, the same prices by DISTINCT ON over all that was stored. PostgreSQL with fsync.
"""

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from bench.part import Options, run_part
from bench.rig import Rig
from bench.table import Goal, Series, percentile, print_table
from shared.domain.allowance import next_month
from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.times import micros
from shared.ports import Storage
from shared.settings import Settings
from shared.storage import open_storage

CURRENCIES, TIMES, LENGTH = 1000, 10_200, 200
MOMENTS, PEER_MOMENTS = 400, 3
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP, DELAY = timedelta(minutes=15), timedelta(seconds=20)
SOURCES = ("coinmarketcap", "cryptocompare")
RANKED_BY = "cryptocompare"
STALE_AFTER = timedelta(minutes=15)
ON_POSTGRESQL, ON_SQLITE, PEER = "ours, PostgreSQL", "ours, SQLite", "DISTINCT ON, PostgreSQL"
SEED = 20261121

# Every poll is stored whole, in the order of its currencies: the order of rows on the disk is that of a service.
_RATE = """
    SELECT currency, CASE WHEN currency % 20 = 0 THEN 'cryptocompare' ELSE 'coinmarketcap' END,
        {price}, {observed}, {stored}
    FROM {times} CROSS JOIN {currencies}
    WHERE currency % 100 <> 50
    ORDER BY step, currency
"""
_COLUMNS = "(currency_id, source, price_usd, observed_at, stored_at)"
_OF_POSTGRESQL = _RATE.format(
    price="currency + step * 0.0001",
    observed="$1::timestamptz + step * $2::interval",
    stored="$1::timestamptz + step * $2::interval + currency % 21 * interval '1 s'",
    times="generate_series($3::bigint, $4::bigint) AS step",
    currencies="generate_series(1, $5::bigint) AS currency",
)
_OF_SQLITE = _RATE.format(
    price="CAST(currency + step * 0.0001 AS TEXT)",
    observed=":start + step * :step",
    stored=":start + step * :step + currency % 21 * 1000000",
    times="times",
    currencies="currencies",
)


@dataclass(frozen=True, slots=True)
class _Size:
    """Of the history."""

    currencies: int
    """With prices or without; the catalog has ten times as many."""
    times: int

    @property
    def rates(self) -> int:
        return (self.currencies - self.currencies // 100) * self.times

    @property
    def end(self) -> datetime:
        return START + self.times * STEP

    def rankings(self) -> Iterator[tuple[datetime, list[int]]]:
        """At every poll; each time some currencies leave, come, and change their places."""
        for number in range(self.times):
            first = number // 3
            ids = [1 + (first + place) % self.currencies for place in range(LENGTH)]
            random.Random(number).shuffle(ids)
            yield START + number * STEP, ids


@dataclass(frozen=True, slots=True)
class _Places:
    postgresql: Storage
    sqlite: Storage
    peer: "asyncpg.Connection[asyncpg.Record]"


async def measure(rig: Rig, options: Options) -> list[Goal]:
    size = options.sized(_Size(CURRENCIES, TIMES), _Size(CURRENCIES // 4, TIMES // 20))
    async with AsyncExitStack() as stack:
        started = time.perf_counter()
        places = await _places(stack, rig.database_url(), rig.folder() / "rates.db", size)
        print(f"\n{size.rates} rates stored in each in {time.perf_counter() - started:.0f} s")
        middle: dict[str, Series] = {}
        slowest: dict[str, Series] = {}
        moments = random.Random(SEED)
        # The first round warms up: cold pages, statements that are not prepared yet.
        await _round(places, size, moments, MOMENTS // 10)
        for _ in range(options.rounds):
            for name, times in (await _round(places, size, moments, options.sized(MOMENTS, 20))).items():
                middle.setdefault(name, Series(name)).values.append(percentile(times, 0.5))
                slowest.setdefault(name, Series(name)).values.append(percentile(times, 0.99))
    print_table(f"top {LENGTH} as of a moment, p50", "ms", middle.values(), base=middle[PEER])
    print_table(f"top {LENGTH} as of a moment, p99", "ms", slowest.values(), base=slowest[PEER])
    what = f"top {LENGTH} as of a moment in PostgreSQL"
    return [
        Goal(what=f"{what}, p50", seen=middle[ON_POSTGRESQL].median, target=2, unit="ms"),
        Goal(what=f"{what}, p99", seen=slowest[ON_POSTGRESQL].median, target=5, unit="ms"),
    ]


async def _round(places: _Places, size: _Size, moments: random.Random, count: int) -> dict[str, list[float]]:
    """Milliseconds of each answer."""
    taken: dict[str, list[float]] = {ON_POSTGRESQL: [], ON_SQLITE: [], PEER: []}
    for number in range(count):
        # Not in the first quarter of an hour: there is no whole list yet.
        moment = START + STEP + moments.random() * (size.end - START - STEP)
        ours = await _timed(taken[ON_POSTGRESQL], lambda: _top(places.postgresql, moment))  # noqa: B023 - called at once
        other = await _timed(taken[ON_SQLITE], lambda: _top(places.sqlite, moment))  # noqa: B023
        answers = [ours, other]
        if number < PEER_MOMENTS:
            ids = [currency_id for currency_id, _ in ours]
            answers.append(await _timed(taken[PEER], lambda: _by_distinct_on(places.peer, ids, moment)))  # noqa: B023
        if any(answer != ours for answer in answers):
            raise RuntimeError(f"the answers as of {moment.isoformat()} differ")
    return taken


_Top = list[tuple[int, datetime | None]]
"""Each currency, and the time of its price."""


async def _timed(times: list[float], answer: Callable[[], Awaitable[_Top]]) -> _Top:
    started = time.perf_counter()
    top = await answer()
    times.append((time.perf_counter() - started) * 1000)
    return top


async def _top(storage: Storage, moment: datetime) -> _Top:
    ranking = await storage.ranking_as_of(moment)
    if ranking is None:
        raise RuntimeError(f"no ranking as of {moment.isoformat()}")
    rows = await storage.top_as_of(
        ranking.currency_ids, moment, first_rank=1, sources=SOURCES, stale_after=STALE_AFTER
    )
    return [(row.currency_id, row.observed_at) for row in rows]


async def _by_distinct_on(
    connection: "asyncpg.Connection[asyncpg.Record]", ids: list[int], moment: datetime
) -> _Top:
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (currency_id) currency_id, price_usd, source, observed_at FROM rates
        WHERE currency_id = ANY($1::bigint[]) AND observed_at <= $2 AND (stored_at <= $2 OR backfilled)
        ORDER BY currency_id, observed_at DESC, id DESC
        """,
        ids,
        moment,
    )
    observed = {row["currency_id"]: row["observed_at"] for row in rows}
    return [(currency_id, observed.get(currency_id)) for currency_id in ids]


async def _places(stack: AsyncExitStack, database_url: str, file: Path, size: _Size) -> _Places:
    """Both databases with all of the history. They are filled side by side, SQLite in a thread."""
    storages = []
    for url in (database_url, f"sqlite:///{file}"):
        # The end is the present, so the partitions that are made ahead lie behind the history.
        storage = await open_storage(Settings(database_url=url), clock=lambda: next_month(size.end))
        stack.push_async_callback(storage.close)
        await storage.record_catalog(CurrencyKind.CRYPTO, _catalog(10 * size.currencies), stored_at=START)
        storages.append(storage)
    peer = await asyncpg.connect(database_url, server_settings={"jit": "off"})
    stack.push_async_callback(peer.close)
    await asyncio.gather(_fill_postgresql(peer, size), asyncio.to_thread(_fill_sqlite, file, size))
    return _Places(storages[0], storages[1], peer)


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


async def _fill_postgresql(connection: "asyncpg.Connection[asyncpg.Record]", size: _Size) -> None:
    """A month at a time into a table of its own, whose indexes are made as it becomes a partition: half the time."""
    month, first = START, 0
    while first < size.times:
        end = next_month(month)
        following = min(size.times, -((START - end) // STEP))
        name = f"rates_{month:%Y_%m}"
        await connection.execute(f"CREATE TABLE {name} (LIKE rates INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        await connection.execute(
            f"INSERT INTO {name} {_COLUMNS} {_OF_POSTGRESQL}",
            *(START, STEP, first, following - 1, size.currencies),
        )
        await connection.execute(
            f"ALTER TABLE rates ATTACH PARTITION {name} FOR VALUES FROM ('{month.isoformat()}') TO ('{end.isoformat()}')"
        )
        month, first = end, following
    await connection.copy_records_to_table(
        "rankings",
        records=((RANKED_BY, at, at + DELAY, ids, False) for at, ids in size.rankings()),
        columns=("source", "observed_at", "stored_at", "currency_ids", "is_whole"),
    )
    # What autovacuum does to a database that has been at work for a while.
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")


def _fill_sqlite(file: Path, size: _Size) -> None:
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
                "step": STEP // timedelta(microseconds=1),
                "times": size.times,
                "currencies": size.currencies,
            },
        )
        for _, definition in indexes:
            connection.execute(definition)
        connection.executemany(
            """
            INSERT INTO rankings (source, observed_at, stored_at, currency_ids, is_whole)
            VALUES (?, ?, ?, ?, false)
            """,
            ((RANKED_BY, micros(at), micros(at + DELAY), json.dumps(ids)) for at, ids in size.rankings()),
        )
        connection.execute("COMMIT")


if __name__ == "__main__":
    run_part(measure, __doc__)

"""The top 200 as of random moments of a history of 10 million rates: ranking, names and prices, through our storage.

python -m bench.as_of [--rounds 5] [--quick]

1000 of 10,000 currencies are polled every 15 minutes for 106 days, so PostgreSQL has them in four monthly partitions,
with four empty ones ahead. Two sources take part: one currency in twenty has prices of the second alone, and one in a
hundred has none. A rate is stored up to 20 s after it was observed, so in those seconds the one before is in force.
Beside it, on the same PostgreSQL, the same prices by DISTINCT ON over all that was stored. PostgreSQL with fsync.
"""

import json
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from bench.part import Options, run_part
from bench.rate_history import START, Filled, RateHistory, filled
from bench.rig import Rig
from bench.table import Goal, Series, percentile, print_table
from shared.domain.times import micros
from shared.ports import Storage

CURRENCIES, TIMES, LENGTH = 1000, 10_200, 200
MOMENTS, PEER_MOMENTS = 400, 3
DELAY = timedelta(seconds=20)
SOURCES = ("coinmarketcap", "cryptocompare")
RANKED_BY = "cryptocompare"
STALE_AFTER = timedelta(minutes=15)
ON_POSTGRESQL, ON_SQLITE, PEER = "ours, PostgreSQL", "ours, SQLite", "DISTINCT ON, PostgreSQL"
SEED = 20261121


async def measure(rig: Rig, options: Options) -> list[Goal]:
    size = options.sized(
        RateHistory(currencies=CURRENCIES, times=TIMES),
        RateHistory(currencies=CURRENCIES // 4, times=TIMES // 20),
    )
    async with AsyncExitStack() as stack:
        started = time.perf_counter()
        file = rig.folder() / "rates.db"
        places = await filled(stack, rig.database_url(), file, size)
        await _fill_rankings(places, file, size)
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


async def _round(
    places: Filled, size: RateHistory, moments: random.Random, count: int
) -> dict[str, list[float]]:
    """Milliseconds of each answer."""
    taken: dict[str, list[float]] = {ON_POSTGRESQL: [], ON_SQLITE: [], PEER: []}
    for number in range(count):
        # Not in the first quarter of an hour: there is no whole list yet.
        moment = START + size.step + moments.random() * (size.end - START - size.step)
        ours = await _timed(taken[ON_POSTGRESQL], lambda: _top(places.postgresql, moment))  # noqa: B023 - called at once
        other = await _timed(taken[ON_SQLITE], lambda: _top(places.sqlite, moment))  # noqa: B023
        answers = [ours, other]
        if number < PEER_MOMENTS:
            ids = [currency_id for currency_id, _ in ours]
            answers.append(await _timed(taken[PEER], lambda: _by_distinct_on(places.connection, ids, moment)))  # noqa: B023
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


def _rankings(history: RateHistory) -> Iterator[tuple[datetime, list[int]]]:
    """At every poll; each time some currencies leave, come, and change their places."""
    for number in range(history.times):
        first = number // 3
        ids = [1 + (first + place) % history.currencies for place in range(LENGTH)]
        random.Random(number).shuffle(ids)
        yield START + number * history.step, ids


async def _fill_rankings(places: Filled, file: Path, history: RateHistory) -> None:
    await places.connection.copy_records_to_table(
        "rankings",
        records=((RANKED_BY, at, at + DELAY, ids, False) for at, ids in _rankings(history)),
        columns=("source", "observed_at", "stored_at", "currency_ids", "is_whole"),
    )
    await places.connection.execute("VACUUM ANALYZE rankings")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            """
            INSERT INTO rankings (source, observed_at, stored_at, currency_ids, is_whole)
            VALUES (?, ?, ?, ?, false)
            """,
            ((RANKED_BY, micros(at), micros(at + DELAY), json.dumps(ids)) for at, ids in _rankings(history)),
        )
        connection.execute("COMMIT")


if __name__ == "__main__":
    run_part(measure, __doc__)

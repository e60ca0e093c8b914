"""A poll of the top 5000: its listing decoded and stored, and the last rates that hold then, without the network.

python -m bench.poll [--rounds 5] [--quick] [--without-peers]

Takes listings of the simulator, a new one in every round, through the code that the worker runs: first all of it is new, then
the same is only confirmed, then every other rate is new. The targets are for the first. Its rows go by plain COPY too, into a
table with the columns and indexes of `rates` (the limit: no last rates, no journal, no answer), and through SQLAlchemy's ORM
(`bench.peers.orm_store`: `add_all` and commit). PostgreSQL with fsync, SQLite with synchronous=FULL.
"""

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from bench.part import Options, run_part
from bench.rig import Dialogue, Rig, ask_peer
from bench.table import Goal, Series, print_table
from shared.domain.rate import Observation
from shared.domain.times import utc_now
from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.ports import Call, Quotes, Storage, UpstreamAnswer
from shared.settings import Settings
from shared.sources.coinmarketcap import CoinMarketCap
from shared.storage import open_storage

COINS = 5000
DECODE, COPY = "decode", "plain COPY"
ON_POSTGRESQL, ON_SQLITE = "ours, PostgreSQL", "ours, SQLite"
NOTHING_NEW, HALF_NEW = ", nothing new", ", half new"
COLUMNS = (
    "currency_id",
    "source",
    "price_usd",
    "volume_24h",
    "market_cap",
    "percent_change_1h",
    "percent_change_24h",
    "observed_at",
    "stored_at",
)
_values = attrgetter(*COLUMNS[:-1])


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the rows go."""

    postgresql: Storage
    sqlite: Storage
    copied: "asyncpg.Connection[asyncpg.Record]"
    orm: Dialogue | None
    rows_file: Path


async def measure(rig: Rig, options: Options) -> list[Goal]:
    coins = options.sized(COINS, COINS // 5)
    measured: dict[str, Series] = {}
    async with rig.stack() as stack, aiohttp.ClientSession() as http:
        await stack.simulator("--coins", str(coins))
        source = CoinMarketCap(base_url=stack.simulator_url)
        async with _places(stack.env["DATABASE_URL"], rig.folder(), options) as places:
            ranks = await _load_catalog(http, source, places)
            (call,) = source.plan(ranks, ranks, {})
            # The first round warms up: new tables, cold statements, and no last rate to move yet.
            await _poll(places, call, await _answer(http, source, call))
            for _ in range(options.rounds):
                taken = await _poll(places, call, await _answer(http, source, call))
                for name, seconds in taken.items():
                    measured.setdefault(name, Series(name)).values.append(seconds * 1000)
    return _report(measured.pop(DECODE), measured, coins)


async def _poll(places: _Places, call: Call[Quotes], answer: UpstreamAnswer) -> dict[str, float]:
    """Seconds of each."""
    started = time.perf_counter()
    observations = call.parse(answer).value.observations
    taken = {DECODE: time.perf_counter() - started}
    taken[COPY] = await _copy(places.copied, observations)
    cases = {"": observations, NOTHING_NEW: observations, HALF_NEW: _half_newer(observations)}
    for case, given in cases.items():
        taken[ON_POSTGRESQL + case] = await _store(places.postgresql, given)
    if places.orm is not None:
        taken["SQLAlchemy add_all"] = await _store_by_orm(places.orm, places.rows_file, observations)
    for case, given in cases.items():
        taken[ON_SQLITE + case] = await _store(places.sqlite, given)
    return taken


def _half_newer(observations: Sequence[Observation]) -> list[Observation]:
    """By so little that the next listing is newer still."""
    return [
        replace(one, observed_at=one.observed_at + timedelta(microseconds=1)) if number % 2 else one
        for number, one in enumerate(observations)
    ]


def _report(decode: Series, stores: dict[str, Series], coins: int) -> list[Goal]:
    whole = {
        name: Series(name, [sum(pair) for pair in zip(decode.values, stores[name].values, strict=True)])
        for name in stores
        if name.startswith((ON_POSTGRESQL, ON_SQLITE))
    }
    rows = {name: _rows(one, coins) for name, one in whole.items()}
    print_table(f"listing of {coins}", "ms", [decode])
    print_table(f"store {coins} rates", "ms", stores.values(), base=stores[COPY])
    print_table("store", "rows/s", [_rows(one, coins) for one in stores.values()])
    print_table("whole poll, decode and store", "ms", whole.values())
    print_table("whole poll", "rows/s", rows.values())
    poll = f"poll of {coins}"
    return [
        Goal(what=f"{poll} on PostgreSQL", seen=whole[ON_POSTGRESQL].median, target=100, unit="ms"),
        Goal(what=f"{poll}, rows", seen=rows[ON_POSTGRESQL].median, target=50_000, unit="/s", at_least=True),
        Goal(what=f"{poll} on SQLite", seen=whole[ON_SQLITE].median, target=100, unit="ms"),
    ]


def _rows(series: Series, coins: int) -> Series:
    return Series(series.name, [coins / (ms / 1000) for ms in series.values])


@asynccontextmanager
async def _places(database_url: str, folder: Path, options: Options) -> AsyncIterator[_Places]:
    async with AsyncExitStack() as stack:
        storages = []
        for url in (database_url, f"sqlite:///{folder}/rates.db"):
            storage = await open_storage(Settings(database_url=url))
            stack.push_async_callback(storage.close)
            storages.append(storage)
        connection = await asyncpg.connect(database_url)
        stack.push_async_callback(connection.close)
        await connection.execute("CREATE TABLE copied (LIKE rates INCLUDING DEFAULTS INCLUDING INDEXES)")
        rows_file = folder / "rows.json"
        orm = None
        if options.with_peers:
            orm = await stack.enter_async_context(ask_peer(folder, "orm_store", database_url, str(rows_file)))
        yield _Places(storages[0], storages[1], connection, orm, rows_file)


async def _load_catalog(
    http: aiohttp.ClientSession, source: CoinMarketCap, places: _Places
) -> dict[int, int]:
    """Stores the catalog, and gives the ranks of its coins."""
    ranks: dict[int, int] = {}
    for kind, call in source.catalog().items():
        entries = call.parse(await _answer(http, source, call)).value
        for storage in (places.postgresql, places.sqlite):
            await storage.record_catalog(kind, entries, stored_at=utc_now())
        ranks |= {one.currency.id: one.currency.rank for one in entries if one.currency.rank is not None}
    return ranks


async def _answer(http: aiohttp.ClientSession, source: CoinMarketCap, call: Call[Any]) -> UpstreamAnswer:
    async with http.get(source.base_url + call.path, params=call.params) as response:
        return UpstreamAnswer(response.status, {}, await response.read())


async def _store(storage: Storage, observations: Sequence[Observation]) -> float:
    """Seconds until the rates are stored and the last ones known, with the visit journaled."""
    now = utc_now()
    visit = Visit(
        source=observations[0].source,
        reason=VisitReason.POLL,
        what="listing",
        started_at=now,
        duration=timedelta(),
        outcome=VisitOutcome.DONE,
        credits=1,
        rates_stored=0,
    )
    started = time.perf_counter()
    recorded = await storage.record_rates(observations, fetched_at=now, stored_at=now, visit=visit)
    took = time.perf_counter() - started
    if [one.rate.observed_at for one in recorded] != [one.observed_at for one in observations]:
        raise RuntimeError("the last rates are not those that were stored")
    return took


async def _copy(
    connection: "asyncpg.Connection[asyncpg.Record]", observations: Sequence[Observation]
) -> float:
    now = utc_now()
    started = time.perf_counter()
    rows = [(*_values(one), now) for one in observations]
    await connection.copy_records_to_table("copied", records=rows, columns=COLUMNS)
    return time.perf_counter() - started


async def _store_by_orm(orm: Dialogue, file: Path, observations: Sequence[Observation]) -> float:
    rows = [dict(zip(COLUMNS, map(_json, _values(one)), strict=False)) for one in observations]
    file.write_text(json.dumps(rows))
    return (await orm.ask("store"))[0]


def _json(value: object) -> object:
    return value if value is None or isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    run_part(measure, __doc__)

"""The monthly partitions of PostgreSQL: made ahead, made when a row needs one, and in nobody's way."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from shared.ports import Storage
from tests.contract.storage.samples import NOW, load_currencies, observation


async def partitions(connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    rows = await connection.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'rates'::regclass ORDER BY 1"
    )
    return [row[0] for row in rows]


async def test_partitions_are_made_three_months_ahead_and_once(
    storages: tuple[Storage, Storage], connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await asyncio.gather(*(storages[number % 2].prepare_partitions(now=NOW) for number in range(6)))
    assert await partitions(connection) == [
        "rates_2026_11",
        "rates_2026_12",
        "rates_2027_01",
        "rates_2027_02",
    ]


async def test_a_partition_is_made_when_rows_of_several_processes_need_it(
    storages: tuple[Storage, Storage], connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await load_currencies(storages[0], 12)
    old = datetime(2014, 1, 31, 23, 59, tzinfo=UTC)
    await asyncio.gather(
        *(
            storages[number % 2].record_rates(
                [observation(number, at=old), observation(number, at=old + timedelta(hours=1), source="b")],
                fetched_at=NOW,
                stored_at=NOW,
            )
            for number in range(1, 13)
        )
    )
    assert await partitions(connection) == ["rates_2014_01", "rates_2014_02"]
    assert len(await storages[1].last_rates()) == 24


async def test_readers_and_writers_do_not_wait_for_a_new_partition(
    storages: tuple[Storage, Storage], connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """An open transaction that reads and writes `rates` keeps its locks; attaching goes on beside it."""
    await load_currencies(storages[0], 1)
    await storages[0].record_rates([observation()], fetched_at=NOW, stored_at=NOW)
    async with connection.transaction():
        await connection.execute("SELECT * FROM rates")
        await connection.execute("UPDATE rates SET backfilled = false")
        async with asyncio.timeout(3):
            await storages[0].prepare_partitions(now=NOW)
    assert len(await partitions(connection)) == 4


async def test_other_violated_checks_are_not_taken_for_a_missing_partition(
    storages: tuple[Storage, Storage],
) -> None:
    await load_currencies(storages[0], 1)
    await storages[0].prepare_partitions(now=NOW)
    with pytest.raises(asyncpg.CheckViolationError):
        await storages[0].record_rates([observation(price="-1")], fetched_at=NOW, stored_at=NOW)

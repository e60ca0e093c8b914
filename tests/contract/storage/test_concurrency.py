"""Several processes on one PostgreSQL: nothing is stored twice, lost, or blocked in a circle."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from shared.domain.currency import CurrencyKind, CurrencyProfile
from shared.ports import Storage
from tests.contract.storage.samples import NOW, SECOND, entry, load_currencies, observation
from tests.waiting import until


async def test_two_processes_record_overlapping_sets_without_deadlock(
    storages: tuple[Storage, Storage],
) -> None:
    """Half of the writers give the same observations as the other half, in the opposite order."""
    await load_currencies(storages[0], 500)

    async def record(number: int) -> None:
        given = [
            observation(one, at=NOW + (number // 4) * SECOND, source=source)
            for one in range(1 + number % 4, 501)
            for source in "ba"
        ]
        direction = -1 if number % 2 else 1
        await storages[number % 2].record_rates(given[::direction], fetched_at=NOW, stored_at=NOW)

    await asyncio.gather(*(record(number) for number in range(20)))
    last = await storages[0].last_rates()
    assert {(rate.currency_id, rate.source) for rate in last} == {
        (one, source) for one in range(1, 501) for source in "ab"
    }
    assert {rate.observed_at for rate in last} == {NOW + 4 * SECOND}


async def test_one_observation_stored_by_many_at_once_is_one_row(storages: tuple[Storage, Storage]) -> None:
    await load_currencies(storages[0], 1)
    recorded = await asyncio.gather(
        *(
            storages[number % 2].record_rates(
                [observation()], fetched_at=NOW + number * SECOND, stored_at=NOW
            )
            for number in range(20)
        )
    )
    rates = [one[0].rate for one in recorded]
    assert len({rate.id for rate in rates}) == 1
    assert sum(one[0].outcome == "stored" for one in recorded) == 1
    [last] = await storages[0].last_rates()
    assert last.fetched_at == NOW + 19 * SECOND


async def test_two_processes_renew_the_catalog_at_once(storages: tuple[Storage, Storage]) -> None:
    entries = [entry(number) for number in range(1, 300)]
    await asyncio.gather(
        *(
            storages[number % 2].record_catalog(
                CurrencyKind.CRYPTO, entries[:: -1 if number % 2 else 1], stored_at=NOW + number * SECOND
            )
            for number in range(8)
        )
    )
    assert sum(currency.is_active for currency in await storages[0].catalog()) == 300


@asynccontextmanager
async def held(database: str, row: str) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Keeps a row from all writers. Gives what waits until so many of them wait, for that row or for each other."""
    holder, observer = await asyncpg.connect(database), await asyncpg.connect(database)

    async def are_waiting(count: int) -> bool:
        waiting: int = await observer.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return waiting == count

    async def until_waiting(count: int) -> None:
        await until(lambda: are_waiting(count), seconds=10, what=f"{count} that wait")

    async with holder.transaction():
        await holder.execute(f"SELECT 1 FROM {row} FOR UPDATE")
        yield until_waiting
    await holder.close()
    await observer.close()


async def test_a_renewal_of_the_catalog_and_profiles_do_not_wait_in_a_circle(
    storages: tuple[Storage, Storage], postgresql_url: str
) -> None:
    """The renewal writes 2, is held up at 3, and comes back to 1, which it lacks; profiles are written from 1 to 2."""
    await load_currencies(storages[0], 3)
    profile = CurrencyProfile(tags=("a",))
    async with held(postgresql_url, "currencies WHERE id = 3") as until_waiting:
        renewed = storages[0].record_catalog(
            CurrencyKind.CRYPTO, [entry(2), entry(3)], stored_at=NOW + SECOND
        )
        renewal = asyncio.create_task(renewed)
        await until_waiting(1)
        recording = asyncio.create_task(
            storages[1].record_profiles({1: profile, 2: profile}, profiled_at=NOW)
        )
        await until_waiting(2)
    await asyncio.gather(renewal, recording)
    active = {one.id for one in await storages[0].catalog() if one.is_active}
    assert active == {2, 3, 2781}
    assert [one.profile for one in (await storages[0].descriptions([1, 2])).values()] == [profile, profile]


async def test_who_forgets_demand_and_who_records_it_do_not_wait_in_a_circle(
    storages: tuple[Storage, Storage], postgresql_url: str
) -> None:
    """Marks are written from 1 to 3 and held up at 2. The rows of those to forget lie in the opposite order."""
    await load_currencies(storages[0], 3)
    for currency_id, asked_at in ((3, NOW - SECOND), (1, NOW - 2 * SECOND), (2, NOW)):
        await storages[0].record_demand({currency_id: asked_at})
    async with held(postgresql_url, "demand WHERE currency_id = 2") as until_waiting:
        recording = asyncio.create_task(storages[0].record_demand(dict.fromkeys((1, 2, 3), NOW + SECOND)))
        await until_waiting(1)
        forgetting = asyncio.create_task(storages[1].forget_demand(before=NOW))
        await until_waiting(2)
    await recording
    assert await forgetting == 0
    assert await storages[0].in_demand_since(NOW + SECOND, limit=9) == [1, 2, 3]


async def test_two_processes_record_and_forget_demand_of_overlapping_sets_without_deadlock(
    storages: tuple[Storage, Storage],
) -> None:
    """Half of the writers give the same marks as the other half, in the opposite order."""
    await load_currencies(storages[0], 500)

    async def record(number: int) -> None:
        asked = [(one, NOW + (number // 4) * SECOND) for one in range(1 + number % 4, 501)]
        await storages[number % 2].record_demand(dict(asked[:: -1 if number % 2 else 1]))

    await asyncio.gather(
        *(record(number) for number in range(20)),
        *(storages[number % 2].forget_demand(before=NOW + 4 * SECOND) for number in range(6)),
    )
    assert await storages[0].in_demand_since(NOW + 4 * SECOND, limit=1000) == list(range(1, 501))
    assert await storages[0].forget_demand(before=NOW + 4 * SECOND) == 0


async def test_of_the_claimers_in_two_processes_one_wins(storages: tuple[Storage, Storage]) -> None:
    seen = await storages[0].schedule_state("prices")
    claims = (storages[number % 2].claim_tick(seen, due=NOW, until=NOW + SECOND) for number in range(30))
    assert sum(await asyncio.gather(*claims)) == 1


async def test_more_work_than_connections_waits_and_is_done(storages: tuple[Storage, Storage]) -> None:
    await asyncio.gather(*(storages[0].ping() for _ in range(200)))
    assert await storages[0].visits(limit=1) == []


async def test_a_cancelled_write_leaves_a_connection_that_works(storages: tuple[Storage, Storage]) -> None:
    await load_currencies(storages[0], 50)
    for delay in (0, 0.001, 0.002, 0.005):
        given = [observation(number) for number in range(1, 51)]
        task = asyncio.create_task(storages[0].record_rates(given, fetched_at=NOW, stored_at=NOW))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(await storages[0].last_rates()) in {0, 50}
    await storages[0].record_rates([observation(1, source="b")], fetched_at=NOW, stored_at=NOW)
    assert await storages[0].last_rates([1])

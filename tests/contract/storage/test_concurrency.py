"""Several processes on one PostgreSQL: nothing is stored twice, lost, or blocked in a circle."""

import asyncio

from shared.domain.currency import CurrencyKind
from shared.ports import Storage
from tests.contract.storage.samples import NOW, SECOND, entry, load_currencies, observation


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

"""Demand: what clients asked for reaches the store, and nothing of it is lost on the way."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from api import demand as demand_module
from api.demand import Demand
from shared.errors import StorageUnavailable
from shared.ports import Storage
from tests.api.conftest import StartRig
from tests.api.rig import START, Rig, observed

Record = Callable[[Mapping[int, datetime]], Awaitable[None]]


async def wanted(rig: Rig) -> list[int]:
    """What the store knows to be in demand, the last asked first."""
    return await rig.storage.in_demand_since(START - timedelta(days=1), limit=100)


def counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[dict[int, datetime]]:
    """What is recorded from now on."""
    recorded: list[dict[int, datetime]] = []
    original = rig.storage.record_demand

    async def record(asked: Mapping[int, datetime], *, now: datetime | None = None) -> None:
        await original(asked, now=now)
        recorded.append(dict(asked))

    monkeypatch.setattr(rig.storage, "record_demand", record)
    return recorded


async def flush(rig: Rig) -> None:
    await rig.api.demand.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/lastrate/1/", 200),
        ("/api/lastrate/1/?max_age=60", 200),
        ("/api/lastrate/1/?max_age=0", 200),
        ("/api/latestrate/1/", 200),
        ("/api/lastrate/5/", 404),
        ("/api/latestrate/5/", 200),
    ],
)
async def test_who_asks_for_a_rate_is_in_demand(rig: Rig, path: str, status: int) -> None:
    await rig.store(observed())
    await rig.get(path, status=status)
    await flush(rig)
    assert await wanted(rig) == [int(path.split("/")[3])]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/currencies/1/", 200),
        ("/api/ratescurrency/1/", 200),
        ("/api/top/", 200),
        ("/api/lastrate/999/", 404),
        ("/api/latestrate/999/", 404),
    ],
)
async def test_lists_details_and_nonsense_are_no_demand(rig: Rig, path: str, status: int) -> None:
    await rig.store(observed())
    await rig.get(path, status=status)
    await flush(rig)
    assert await wanted(rig) == []


async def test_a_refresh_that_fails_was_asked_for_all_the_same(start: StartRig) -> None:
    rig = await start(refreshes_per_minute=1)
    await rig.get("/api/latestrate/1/")
    await rig.get("/api/latestrate/5/", status=429)
    await flush(rig)
    assert sorted(await wanted(rig)) == [1, 5]


async def test_the_store_learns_when_it_was_last_asked_for(rig: Rig) -> None:
    await rig.store(observed(), observed(1027))
    await rig.get("/api/lastrate/1/")
    await rig.advance(seconds=5)
    await rig.get("/api/lastrate/1027/")
    await rig.advance(seconds=5)
    await flush(rig)
    assert await wanted(rig) == [1027, 1]
    assert await rig.storage.in_demand_since(START + timedelta(seconds=5), limit=9) == [1027]


async def test_only_what_was_asked_for_since_is_stored_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = counted(rig, monkeypatch)
    await rig.store(observed(), observed(1027))
    await rig.get("/api/lastrate/1/")
    await rig.advance(seconds=5)
    await flush(rig)
    await flush(rig)
    await rig.get("/api/lastrate/1027/")
    await flush(rig)
    assert recorded == [{1: START}, {1027: START + timedelta(seconds=5)}]


async def test_it_is_stored_now_and_then(start: StartRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand_module, "FLUSH_SECONDS", 0.01)
    rig = await start()
    await rig.store(observed())
    await rig.get("/api/lastrate/1/")
    async with asyncio.timeout(3):
        while await wanted(rig) != [1]:  # noqa: ASYNC110 - the table has no event of its own
            await asyncio.sleep(0.01)
    assert await wanted(rig) == [1]


async def test_a_process_that_ends_stores_what_is_left(rig: Rig) -> None:
    await rig.store(observed())
    await rig.get("/api/lastrate/1/")
    assert await wanted(rig) == []
    await rig.client.close()
    assert await wanted(rig) == [1]


async def test_what_was_asked_for_while_the_store_is_away_is_stored_later(
    start: StartRig, storage: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tries = asyncio.Semaphore(0)
    original: Record = storage.record_demand

    async def away(_asked: Any, *, now: datetime | None = None) -> None:
        tries.release()
        raise StorageUnavailable

    monkeypatch.setattr(demand_module, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(storage, "record_demand", away)
    rig = await start()
    await rig.store(observed(), observed(1027))
    await rig.get("/api/lastrate/1/")
    for _ in range(3):
        await asyncio.wait_for(tries.acquire(), 3)
    await rig.advance(seconds=60)
    await rig.get("/api/lastrate/1027/")
    monkeypatch.setattr(storage, "record_demand", original)
    await rig.client.close()
    assert await wanted(rig) == [1027, 1]
    assert capsys.readouterr().out.count("demand not stored") == 1


async def test_a_defect_does_not_end_the_flushes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    original: Record = rig.storage.record_demand

    async def broken(_asked: Any) -> None:
        raise ValueError("a defect")

    await rig.store(observed())
    await rig.get("/api/lastrate/1/")
    monkeypatch.setattr(rig.storage, "record_demand", broken)
    await flush(rig)
    assert await wanted(rig) == []
    monkeypatch.setattr(rig.storage, "record_demand", original)
    await flush(rig)
    assert await wanted(rig) == [1]


async def test_a_store_that_hangs_does_not_hold_up_the_end(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hanging(_asked: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(demand_module, "LAST_FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(rig.storage, "record_demand", hanging)
    await rig.store(observed())
    await rig.get("/api/lastrate/1/")
    async with asyncio.timeout(1):
        await rig.api.demand.close()
    assert await wanted(rig) == []


async def test_a_clock_that_is_set_back_loses_nothing(rig: Rig) -> None:
    demand = Demand(rig.storage, rig.api.memory, rig.clock)
    await rig.store(observed())
    await rig.advance(seconds=-3600)
    await rig.get("/api/lastrate/1/")
    await demand.close()
    assert await wanted(rig) == [1]


async def test_thousands_are_stored_within_the_last_second(rig: Rig) -> None:
    """Those that the store does not know cost the same and are left out."""
    await rig.store(observed())
    rig.api.memory.note_asked(range(1, 10_001), rig.clock().timestamp())
    await flush(rig)
    assert sorted(await wanted(rig)) == [1, 5, 6, 1027, 2781]

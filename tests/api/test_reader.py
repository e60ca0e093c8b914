"""Reads of last rates that many share."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from api.memory import RateMemory
from shared.domain.rate import Rate
from shared.ports import Storage
from tests.api.memories import RATE, memory_of
from tests.api.rig import ManualClock, until


@pytest.fixture
async def memory(storage: Storage, clock: ManualClock) -> AsyncIterator[RateMemory]:
    made = memory_of(storage, clock)
    yield made
    await made.close()


async def test_what_is_being_read_is_not_read_again_for_who_is_served_meanwhile(
    storage: Storage, clock: ManualClock, memory: RateMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.learn([RATE], prolong=True)
    clock.advance(seconds=60)
    reads, gate = [], asyncio.Event()

    async def slow(currency_ids: Any = None) -> list[Rate]:
        reads.append(currency_ids)
        await gate.wait()
        return []

    monkeypatch.setattr(storage, "last_rates", slow)
    memory.known(1)
    await until(lambda: reads)
    memory.known(1)
    gate.set()
    await memory.read([2])
    assert reads == [{1}, {2}]


async def test_reads_serve_many_requests_so_they_are_logged_for_none(
    storage: Storage, memory: RateMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    async def noted(_currency_ids: Any = None) -> list[Rate]:
        seen.append(structlog.contextvars.get_contextvars())
        return []

    monkeypatch.setattr(storage, "last_rates", noted)
    with structlog.contextvars.bound_contextvars(request_id="mine"):
        await memory.read([1])
    assert seen == [{}]

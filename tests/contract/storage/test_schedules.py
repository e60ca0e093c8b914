"""Ticks are claimed by one worker each, on both databases."""

import asyncio
from datetime import timedelta

from shared.domain.schedule import ScheduleState
from shared.ports import Storage
from tests.contract.storage.samples import NOW, SECOND

JOB = "prices"
LEASE = timedelta(minutes=1)


async def claim(storage: Storage, *, due: int = 0, now: int = 0) -> bool:
    at = NOW + now * SECOND
    return await storage.claim_tick(JOB, due=NOW + due * SECOND, now=at, until=at + LEASE)


async def test_a_job_that_never_ran_has_an_empty_state(storage: Storage) -> None:
    assert await storage.schedule_state(JOB) == ScheduleState(
        job=JOB, done_at=None, claimed_for=None, claimed_until=None
    )


async def test_a_claim_is_known_to_all(storage: Storage) -> None:
    assert await claim(storage)
    assert await storage.schedule_state(JOB) == ScheduleState(
        job=JOB, done_at=None, claimed_for=NOW, claimed_until=NOW + LEASE
    )


async def test_of_many_concurrent_claimers_one_wins(storage: Storage) -> None:
    assert sum(await asyncio.gather(*(claim(storage) for _ in range(20)))) == 1


async def test_a_tick_is_claimed_once_even_after_its_end(storage: Storage) -> None:
    assert await claim(storage)
    await storage.finish_tick(JOB, now=NOW + SECOND, done_at=NOW)
    assert not await claim(storage, now=2)
    assert not await claim(storage, due=-1, now=2)
    assert await claim(storage, due=1, now=2)


async def test_a_later_tick_waits_for_the_one_at_work(storage: Storage) -> None:
    assert await claim(storage)
    assert not await claim(storage, due=10, now=59)
    assert await claim(storage, due=10, now=60)


async def test_jobs_do_not_know_each_other(storage: Storage) -> None:
    assert await claim(storage)
    assert await storage.claim_tick("other", due=NOW, now=NOW, until=NOW + LEASE)


async def test_the_time_of_the_last_full_visit_never_goes_back(storage: Storage) -> None:
    await storage.finish_tick(JOB, now=NOW, done_at=NOW)
    await storage.finish_tick(JOB, now=NOW, done_at=NOW - SECOND)
    assert (await storage.schedule_state(JOB)).done_at == NOW
    await storage.finish_tick(JOB, now=NOW, done_at=None)
    assert (await storage.schedule_state(JOB)).done_at == NOW
    await storage.finish_tick(JOB, now=NOW, done_at=NOW + SECOND)
    assert (await storage.schedule_state(JOB)).done_at == NOW + SECOND


async def test_a_visit_that_covered_little_ends_the_claim_all_the_same(storage: Storage) -> None:
    await claim(storage)
    await storage.finish_tick(JOB, now=NOW + SECOND, done_at=None)
    assert await storage.schedule_state(JOB) == ScheduleState(
        job=JOB, done_at=None, claimed_for=NOW, claimed_until=NOW + SECOND
    )

"""Ticks are claimed by one worker each, on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from shared.domain.schedule import ScheduleState
from shared.ports import Storage
from tests.contract.storage.samples import NOW, SECOND

JOB = "prices"
LEASE = timedelta(minutes=1)


NEVER_RAN = ScheduleState(job=JOB, done_at=None, claimed_for=None, claimed_until=None)


async def claim(storage: Storage, state: ScheduleState = NEVER_RAN, *, due: int = 0) -> bool:
    return await storage.claim_tick(state, due=NOW + due * SECOND, until=NOW + due * SECOND + LEASE)


async def test_a_job_that_never_ran_has_an_empty_state(storage: Storage) -> None:
    assert await storage.schedule_state(JOB) == NEVER_RAN


async def test_a_claim_is_known_to_all(storage: Storage) -> None:
    assert await claim(storage)
    assert await storage.schedule_state(JOB) == ScheduleState(
        job=JOB, done_at=None, claimed_for=NOW, claimed_until=NOW + LEASE
    )


async def test_of_many_concurrent_claimers_one_wins(storage: Storage) -> None:
    assert sum(await asyncio.gather(*(claim(storage) for _ in range(20)))) == 1


async def test_whoever_saw_an_older_state_claims_nothing(storage: Storage) -> None:
    assert await claim(storage)
    claimed = await storage.schedule_state(JOB)
    assert not await claim(storage, due=10)
    await storage.finish_tick(JOB, now=NOW + SECOND, done_at=NOW)
    assert not await claim(storage, due=10)
    assert not await claim(storage, claimed, due=10)
    assert await claim(storage, await storage.schedule_state(JOB), due=10)


async def test_many_who_saw_the_same_end_claim_the_next_tick_once(storage: Storage) -> None:
    await claim(storage)
    await storage.finish_tick(JOB, now=NOW + SECOND, done_at=NOW)
    seen = await storage.schedule_state(JOB)
    assert sum(await asyncio.gather(*(claim(storage, seen, due=10 + n) for n in range(20)))) == 1


async def test_jobs_do_not_know_each_other(storage: Storage) -> None:
    assert await claim(storage)
    other = replace(NEVER_RAN, job="other")
    assert await claim(storage, other)


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


async def test_a_time_that_a_fast_clock_left_in_the_future_is_overwritten(storage: Storage) -> None:
    await storage.finish_tick(JOB, now=NOW, done_at=NOW + timedelta(days=30))
    await storage.finish_tick(JOB, now=NOW + SECOND, done_at=NOW)
    assert (await storage.schedule_state(JOB)).done_at == NOW

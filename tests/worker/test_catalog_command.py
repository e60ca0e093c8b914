"""The renewal of the catalog on demand: once a minute, whoever asks."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shared.domain.currency import CurrencyKind
from shared.domain.schedule import ScheduleState
from shared.domain.visit import FailureKind, VisitOutcome, VisitReason
from shared.errors import StorageUnavailable, UpstreamBroken
from shared.messages import CatalogStored, Fact, RefreshFailed, RenewCatalog, Role
from shared.opening import World
from tests.waiting import until
from tests.worker.test_commands import consuming, submit
from tests.worker.test_consumer import Listener, command
from tests.worlds import Upstreams, small_world
from worker.catalog_visit import ON_DEMAND, PAUSE, visit_catalog
from worker.commands.catalog import LEASE, CatalogRenewal
from worker.jobs.catalog import renew_catalog

MAP = "cryptocurrency/map"
SECOND = timedelta(seconds=1)
LONG = 10 * SECOND


def renewal(world: World, name: str = "new") -> RenewCatalog:
    return RenewCatalog(id=name, created_at=world.clock(), request_id=f"r-{name}")


def at(world: World, moment: datetime) -> World:
    return replace(world, clock=lambda: moment)


async def renewed(world: World, *names: str, time_left: timedelta = LONG) -> list[Fact]:
    commands = [renewal(world, name) for name in names or ("new",)]
    return await CatalogRenewal().execute(commands, world, time_left=time_left)


def failure_in(facts: list[Fact]) -> tuple[FailureKind, float | None]:
    """Of a single end, which is of no currency."""
    (fact,) = facts
    assert isinstance(fact, RefreshFailed)
    (failure,) = fact.failures
    assert failure.currency_id is None
    return failure.kind, failure.retry_after


async def test_a_command_renews_the_cryptocurrencies_alone_and_is_told_so(
    world: World, upstreams: Upstreams
) -> None:
    listener = await Listener(world).open()
    async with consuming(world, Role.CATALOG):
        await submit(world, Role.CATALOG, renewal(world))
        fact = await listener.next()
    assert fact == CatalogStored(currencies=len(await world.storage.catalog()), command_ids=("new",))
    assert fact.currencies >= 500
    assert (await upstreams.calls(MAP), await upstreams.calls("fiat")) == (1, 0)
    (visit,) = await world.storage.visits(limit=10)
    assert (visit.reason, visit.outcome) == (VisitReason.REFRESH, VisitOutcome.DONE)
    depth = await world.queue.depth(Role.CATALOG)
    assert (depth.accepted, depth.done, depth.dead) == (1, 1, 0)


async def test_commands_that_wait_are_served_by_one_renewal(world: World, upstreams: Upstreams) -> None:
    (fact,) = await renewed(world, "one", "two")
    assert isinstance(fact, CatalogStored)
    assert fact.command_ids == ("one", "two")
    assert await upstreams.calls(MAP) == 1


async def test_two_workers_at_once_make_one_call_and_both_tell_of_it(
    world: World, upstreams: Upstreams
) -> None:
    await upstreams.fault(path=MAP, kind="latency", ms=300)
    ends = await asyncio.gather(renewed(world, "one"), renewed(world, "two"))
    assert [fact.command_ids for (fact,) in ends if isinstance(fact, CatalogStored)] == [("one",), ("two",)]
    assert await upstreams.calls(MAP) == 1


async def test_within_a_minute_of_a_renewal_nobody_is_asked_again(world: World, upstreams: Upstreams) -> None:
    now = world.clock()
    assert isinstance((await renewed(at(world, now)))[0], CatalogStored)
    for seconds, calls in ((59, 1), (61, 2)):
        (fact,) = await renewed(at(world, now + seconds * SECOND), f"after-{seconds}")
        assert isinstance(fact, CatalogStored)
        assert fact.command_ids == (f"after-{seconds}",)
        assert await upstreams.calls(MAP) == calls


async def test_the_daily_renewal_serves_a_command_too(world: World, upstreams: Upstreams) -> None:
    assert await renew_catalog(world) is not None
    assert isinstance((await renewed(world))[0], CatalogStored)
    assert await upstreams.calls(MAP) == 1


async def test_the_daily_renewal_serves_a_command_though_its_fiat_half_failed(
    world: World, upstreams: Upstreams
) -> None:
    await upstreams.fault(path="fiat", kind="status", code=500)
    assert await renew_catalog(world) is None
    assert isinstance((await renewed(world))[0], CatalogStored)
    assert await upstreams.calls(MAP) == 1


async def test_a_renewal_that_fails_ends_every_command_and_hides_nothing(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    before = await world.storage.catalog()
    later = at(world, world.clock() + timedelta(hours=1))
    await upstreams.fault(path=MAP, kind="status", code=500)
    facts = await renewed(later, "one", "two")
    assert [fact.command_id for fact in facts if isinstance(fact, RefreshFailed)] == ["one", "two"]
    assert {failure_in([fact]) for fact in facts} == {(FailureKind.VISITED, None)}
    assert await world.storage.catalog() == before
    visit = (await world.storage.visits(limit=1))[0]
    assert (visit.reason, visit.outcome) == (VisitReason.REFRESH, VisitOutcome.FAILED)


async def test_within_a_minute_of_an_attempt_nobody_tries_again_not_even_after_a_restart(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path) as (world, upstreams):
        now = world.clock()
        await upstreams.fault(path=MAP, kind="status", code=500)
        assert failure_in(await renewed(at(world, now))) == (FailureKind.VISITED, None)
    async with small_world(tmp_path) as (world, upstreams):
        kind, retry_after = failure_in(await renewed(at(world, now + 20 * SECOND)))
        assert (kind, retry_after) == (FailureKind.NOT_TRIED, 40)
        assert await upstreams.calls() == 0
        assert isinstance((await renewed(at(world, now + 60 * SECOND)))[0], CatalogStored)


async def test_an_attempt_of_the_daily_job_counts_too(world: World, upstreams: Upstreams) -> None:
    now = world.clock()
    await upstreams.fault(path=MAP, kind="status", code=500)
    assert await renew_catalog(at(world, now)) is None
    calls = await upstreams.calls(MAP)
    assert failure_in(await renewed(at(world, now + 50 * SECOND))) == (FailureKind.NOT_TRIED, 10)
    assert await upstreams.calls(MAP) == calls


async def test_an_attempt_at_the_fiat_currencies_alone_does_not_count(
    world: World, upstreams: Upstreams
) -> None:
    now = world.clock()
    await upstreams.fault(path="fiat", kind="status", code=500)
    failure = await visit_catalog(at(world, now), CurrencyKind.FIAT, reason=VisitReason.POLL, time_left=LONG)
    assert isinstance(failure, UpstreamBroken)
    assert isinstance((await renewed(at(world, now + SECOND)))[0], CatalogStored)
    assert await upstreams.calls(MAP) == 1


async def test_a_renewal_after_one_that_failed_ends_the_pause(world: World, upstreams: Upstreams) -> None:
    now = world.clock()
    await upstreams.fault(path=MAP, kind="status", code=500, times=2)
    assert failure_in(await renewed(at(world, now)))[0] is FailureKind.VISITED
    assert await renew_catalog(at(world, now + SECOND)) is not None
    calls = await upstreams.calls(MAP)
    assert isinstance((await renewed(at(world, now + 2 * SECOND)))[0], CatalogStored)
    assert await upstreams.calls(MAP) == calls


async def test_who_waits_for_the_renewal_of_another_waits_no_longer_than_its_time(
    world: World, upstreams: Upstreams
) -> None:
    now = world.clock()
    await claim(world, ON_DEMAND, now, until=now + LONG)
    end = await renewed(at(world, now), time_left=0.3 * SECOND)
    assert failure_in(end)[0] is FailureKind.DEADLINE
    assert await upstreams.calls() == 0


async def test_times_that_a_fast_clock_left_in_the_future_stop_no_renewal(
    world: World, upstreams: Upstreams
) -> None:
    now = world.clock()
    ahead = now + timedelta(days=1)
    await world.storage.finish_tick(ON_DEMAND, now=ahead, done_at=ahead)
    await claim(world, ON_DEMAND, ahead, until=ahead + LEASE)
    await claim(world, PAUSE, ahead, until=ahead + 60 * SECOND)
    assert isinstance((await renewed(at(world, now)))[0], CatalogStored)
    assert isinstance((await renewed(at(world, now + 30 * SECOND)))[0], CatalogStored)
    assert await upstreams.calls(MAP) == 1


async def test_a_renewal_by_a_clock_that_is_a_little_ahead_is_one_of_just_before(
    world: World, upstreams: Upstreams
) -> None:
    now = world.clock()
    await world.storage.finish_tick(ON_DEMAND, now=now, done_at=now + 30 * SECOND)
    assert isinstance((await renewed(at(world, now)))[0], CatalogStored)
    assert await upstreams.calls() == 0


async def test_a_store_that_is_away_is_an_end_like_any_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object, **__: object) -> ScheduleState:
        raise StorageUnavailable

    monkeypatch.setattr(type(world.storage), "schedule_state", down)
    assert failure_in(await renewed(world))[0] is FailureKind.DATABASE_AWAY


async def test_after_a_stop_in_the_middle_another_worker_renews_at_once(
    world: World, upstreams: Upstreams
) -> None:
    now = world.clock()
    await cut_short(at(world, now), upstreams)
    assert (await world.storage.schedule_state(ON_DEMAND)).claimed_until == now
    assert isinstance((await renewed(at(world, now)))[0], CatalogStored)


async def test_the_claim_of_a_worker_that_was_killed_ends_soon_and_is_no_failure(
    world: World, upstreams: Upstreams
) -> None:
    now = world.clock()
    left_behind = await cut_short(at(world, now), upstreams)
    assert left_behind.claimed_until == now + LEASE
    await claim(world, ON_DEMAND, now, until=left_behind.claimed_until)
    before = await upstreams.calls(MAP)
    end = await renewed(at(world, now + 0.9 * LEASE), time_left=0.3 * SECOND)
    assert failure_in(end)[0] is FailureKind.DEADLINE
    assert isinstance((await renewed(at(world, now + LEASE)))[0], CatalogStored)
    assert await upstreams.calls(MAP) == before + 1


async def test_a_command_that_comes_back_from_a_worker_that_was_killed_renews(world: World) -> None:
    listener = await Listener(world).open()
    await world.queue.heartbeat(Role.CATALOG, "killed")
    await world.queue.submit(Role.CATALOG, [renewal(world)], wait=LONG)
    taken = await world.queue.take(Role.CATALOG, "killed", block=SECOND)
    now = world.clock()
    await claim(world, ON_DEMAND, now, until=now + LEASE)
    await world.queue.give_back(Role.CATALOG, "killed", taken.deliveries)
    async with consuming(world, Role.CATALOG):
        fact = await listener.next()
    assert isinstance(fact, CatalogStored)
    assert fact.command_ids == ("new",)


async def test_a_slow_renewal_holds_up_no_refresh(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    await world.storage.finish_tick(ON_DEMAND, now=world.clock(), done_at=None)
    listener = await Listener(world).open()
    later = at(world, world.clock() + timedelta(hours=1))
    await upstreams.fault(path=MAP, kind="latency", ms=1500)
    async with consuming(later, Role.CATALOG), consuming(world, Role.PRICING):
        await submit(world, Role.CATALOG, renewal(world))
        await submit(world, Role.PRICING, command(world, 1))
        facts = [await listener.next(), await listener.next()]
    assert [fact.command_ids for fact in facts] == [("one",), ("new",)]


async def claim(world: World, job: str, due: datetime, *, until: datetime) -> None:
    state = await world.storage.schedule_state(job)
    assert await world.storage.claim_tick(state, due=due, until=until)


async def cut_short(world: World, upstreams: Upstreams) -> ScheduleState:
    """A renewal that is stopped while its source is silent. Gives its claim, as it was meanwhile."""
    await upstreams.fault(path=MAP, kind="latency", ms=30_000)
    task = asyncio.create_task(renewed(world))

    async def asked() -> bool:
        return await upstreams.calls(MAP) > 0

    await until(asked, seconds=10, what="the call")
    state = await world.storage.schedule_state(ON_DEMAND)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await upstreams.heal()
    return state

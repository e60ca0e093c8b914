"""The command loop, on the in-process queue, against the simulator."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.domain.visit import FailureKind
from shared.errors import QueueUnavailable
from shared.messages import RatesStored, RefreshFailed, RefreshRates, Role
from shared.opening import World
from shared.ports import Announced, Batch
from shared.queue.in_process import InProcessQueue
from shared.visitor import Visitor
from tests.waiting import until
from tests.worlds import Upstreams
from worker.consumer import Consumer
from worker.jobs.catalog import renew_catalog

WORKER = "worker-of-the-test"


def command(world: World, *currency_ids: int, name: str = "one") -> RefreshRates:
    return RefreshRates(id=name, currency_ids=currency_ids, created_at=world.clock(), request_id=f"r-{name}")


@asynccontextmanager
async def consuming(world: World) -> AsyncIterator[Consumer]:
    await world.queue.heartbeat(Role.PRICING, WORKER)
    consumer = Consumer(Role.PRICING, WORKER, world)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        consumer.stop()
        await asyncio.wait_for(task, 5)


class Listener:
    """Collects facts from the moment it is opened."""

    def __init__(self, world: World) -> None:
        self._events = world.queue.events()

    async def open(self) -> "Listener":
        await anext(self._events)
        return self

    async def next(self) -> Any:
        while True:
            event = await asyncio.wait_for(anext(self._events), 10)
            if isinstance(event, Announced):
                return event.fact


async def test_a_command_brings_a_rate_and_leaves_the_books_balanced(world: World) -> None:
    await renew_catalog(world)
    listener = await Listener(world).open()
    async with consuming(world):
        asked = command(world, 1, 1027)
        await world.queue.submit(Role.PRICING, [asked], wait=timedelta(seconds=5))
        fact = await listener.next()
    assert isinstance(fact, RatesStored)
    assert {rate.currency_id for rate in fact.stored} == {1, 1027}
    assert all(rate.fetched_at >= asked.created_at for rate in fact.stored)
    depth = await world.queue.depth(Role.PRICING)
    assert (depth.accepted, depth.done, depth.waiting, depth.processing, depth.dead) == (1, 1, 0, 0, 0)


async def test_what_waits_together_shares_one_call(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    await world.queue.heartbeat(Role.PRICING, WORKER)
    listener = await Listener(world).open()
    commands = [command(world, currency_id, name=str(currency_id)) for currency_id in (1, 1027, 1839)]
    await world.queue.submit(Role.PRICING, commands, wait=timedelta(seconds=5))
    before = await upstreams.calls("quotes")
    async with consuming(world):
        fact = await listener.next()
    assert len(fact.stored) == 3
    assert await upstreams.calls("quotes") - before == 1


@contextmanager
def arriving(*later: RefreshRates) -> Iterator[tuple[list[timedelta | None], asyncio.Event]]:
    """Submits one more command whenever the worker looks, without waiting, for what has arrived. Gives how long each of its
    looks may wait, and an event for the first."""
    coming, looks, looked = list(later), [], asyncio.Event()
    take = InProcessQueue.take

    async def taking(self: InProcessQueue, role: Role, worker: str, *, block: timedelta | None) -> Batch:
        looks.append(block)
        looked.set()
        if block is None and coming:
            await self.submit(role, [coming.pop(0)], wait=timedelta(seconds=5))
        return await take(self, role, worker, block=block)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InProcessQueue, "take", taking)
        yield looks, looked


async def test_a_burst_is_let_arrive_and_shares_one_call(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    await world.queue.heartbeat(Role.PRICING, WORKER)
    listener = await Listener(world).open()
    burst = [command(world, number, name=str(number)) for number in (1, 1027, 1839, 5426)]
    await world.queue.submit(Role.PRICING, burst[:2], wait=timedelta(seconds=5))
    before = await upstreams.calls("quotes")
    with arriving(*burst[2:]):
        async with consuming(world):
            fact = await listener.next()
    assert set(fact.command_ids) == {"1", "1027", "1839", "5426"}
    assert await upstreams.calls("quotes") - before == 1


async def test_where_another_worker_is_busy_a_single_command_may_be_of_its_burst(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    await world.queue.heartbeat(Role.PRICING, WORKER)
    await world.queue.submit(Role.PRICING, [command(world, 52, name="other")], wait=timedelta(seconds=5))
    await world.queue.take(Role.PRICING, "another-worker", block=None)
    listener = await Listener(world).open()
    before = await upstreams.calls("quotes")
    with arriving(command(world, 1027, name="two")) as (_, looked):
        async with consuming(world):
            await asyncio.wait_for(looked.wait(), 10)
            await world.queue.submit(Role.PRICING, [command(world, 1)], wait=timedelta(seconds=5))
            fact = await listener.next()
    assert set(fact.command_ids) == {"one", "two"}
    assert await upstreams.calls("quotes") - before == 1


async def test_a_command_that_comes_alone_does_not_wait_for_others(world: World) -> None:
    await renew_catalog(world)
    listener = await Listener(world).open()
    with arriving() as (looks, looked):
        async with consuming(world):
            await asyncio.wait_for(looked.wait(), 10)
            await world.queue.submit(Role.PRICING, [command(world, 1)], wait=timedelta(seconds=5))
            fact = await listener.next()
    assert fact.command_ids == ("one",)
    assert None not in looks


async def test_a_source_that_fails_ends_every_currency_with_its_command(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    await upstreams.fault(path="quotes", kind="status", code=500)
    listener = await Listener(world).open()
    async with consuming(world):
        await world.queue.submit(Role.PRICING, [command(world, 1, 1027)], wait=timedelta(seconds=5))
        fact = await listener.next()
    assert isinstance(fact, RefreshFailed)
    assert fact.command_id == "one"
    assert {(one.currency_id, one.kind) for one in fact.failures} == {
        (1, FailureKind.VISITED),
        (1027, FailureKind.VISITED),
    }


async def test_an_expired_command_is_dropped_without_a_call(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    await world.queue.heartbeat(Role.PRICING, WORKER)
    listener = await Listener(world).open()
    await world.queue.submit(Role.PRICING, [command(world, 1)], wait=timedelta(milliseconds=1))
    await asyncio.sleep(0.01)
    before = await upstreams.calls()
    async with consuming(world):
        fact = await listener.next()
    assert [one.kind for one in fact.failures] == [FailureKind.DEADLINE]
    assert await upstreams.calls() == before


async def test_a_command_that_breaks_the_visit_comes_back_three_times_then_is_buried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def broken(self: Visitor, *args: object, **kwargs: object) -> None:
        nonlocal tries
        tries += 1
        raise RuntimeError("a defect")

    monkeypatch.setattr(Visitor, "visit", broken)
    listener = await Listener(world).open()
    async with consuming(world):
        await world.queue.submit(Role.PRICING, [command(world, 1)], wait=timedelta(seconds=5))
        fact = await listener.next()
    assert tries == 3
    assert isinstance(fact, RefreshFailed)
    depth = await world.queue.depth(Role.PRICING)
    assert (depth.dead, depth.waiting, depth.processing) == (1, 0, 0)


async def test_the_worker_outlives_a_queue_that_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await renew_catalog(world)
    failures = 3
    take = InProcessQueue.take

    async def away(self: InProcessQueue, *args: Any, **kwargs: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise QueueUnavailable
        return await take(self, *args, **kwargs)

    monkeypatch.setattr(InProcessQueue, "take", away)
    listener = await Listener(world).open()
    with capture_logs() as logs:
        async with consuming(world):
            await world.queue.submit(Role.PRICING, [command(world, 1)], wait=timedelta(seconds=5))
            fact = await listener.next()

            async def told() -> bool:
                return any(line["event"] == "queue back" for line in logs)

            await until(told, seconds=5, what="the end of the outage in the log")
    assert isinstance(fact, RatesStored)
    assert failures == 0
    told_of_queue = [line["event"] for line in logs if line["event"].startswith("queue")]
    assert told_of_queue == ["queue unavailable", "queue back"]


async def test_what_is_done_is_announced_though_the_queue_is_away_for_a_moment(
    world: World, upstreams: Upstreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    await renew_catalog(world)
    failures = 2
    finish = InProcessQueue.finish

    async def away(self: InProcessQueue, *args: Any, **kwargs: Any) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise QueueUnavailable
        await finish(self, *args, **kwargs)

    monkeypatch.setattr(InProcessQueue, "finish", away)
    listener = await Listener(world).open()
    before = await upstreams.calls("quotes")
    async with consuming(world):
        await world.queue.submit(Role.PRICING, [command(world, 1)], wait=timedelta(seconds=5))
        fact = await listener.next()
    assert isinstance(fact, RatesStored)
    assert await upstreams.calls("quotes") - before == 1


async def test_a_command_that_expires_while_another_is_visited_costs_no_call(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    await world.queue.heartbeat(Role.PRICING, WORKER)
    await upstreams.fault(path="quotes", kind="latency", ms=400)
    listener = await Listener(world).open()
    for number in (1, 1027):
        await world.queue.submit(
            Role.PRICING, [command(world, number, name=str(number))], wait=timedelta(milliseconds=300)
        )
    batch = await world.queue.take(Role.PRICING, WORKER, block=None)
    await world.queue.give_back(Role.PRICING, WORKER, batch.deliveries)
    before = await upstreams.calls("quotes")
    async with consuming(world):
        ends = [await listener.next(), await listener.next()]
    assert await upstreams.calls("quotes") - before == 1
    assert [one.kind for one in ends[1].failures] == [FailureKind.DEADLINE]


async def test_a_clients_fast_clock_moves_no_rate_into_the_future(world: World) -> None:
    await renew_catalog(world)
    listener = await Listener(world).open()
    ahead = replace(command(world, 1), created_at=world.clock() + timedelta(hours=1))
    async with consuming(world):
        await world.queue.submit(Role.PRICING, [ahead], wait=timedelta(seconds=5))
        fact = await listener.next()
    assert fact.stored[0].fetched_at <= world.clock() + timedelta(seconds=61)
    assert fact.command_ids == ("one",)


async def test_a_defect_outside_the_visit_is_survived(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await renew_catalog(world)
    failures = 2
    take = InProcessQueue.take

    async def broken(self: InProcessQueue, *args: Any, **kwargs: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise RuntimeError("a defect")
        return await take(self, *args, **kwargs)

    monkeypatch.setattr(InProcessQueue, "take", broken)
    listener = await Listener(world).open()
    async with consuming(world):
        await world.queue.submit(Role.PRICING, [command(world, 1)], wait=timedelta(seconds=5))
        fact = await listener.next()
    assert isinstance(fact, RatesStored)


async def test_a_stop_ends_a_waiting_consumer_at_once(world: World) -> None:
    async with consuming(world) as consumer:
        await asyncio.sleep(0.05)
        consumer.stop()
    assert (await world.queue.depth(Role.PRICING)).processing == 0

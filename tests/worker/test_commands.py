"""What the commands of each role do, on the in-process queue, against the simulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from shared.domain.visit import FailureKind, VisitReason
from shared.errors import StorageUnavailable
from shared.messages import (
    Command,
    Fact,
    RankingStored,
    RatesStored,
    RefreshFailed,
    RefreshRanking,
    Role,
)
from shared.opening import World
from tests.worker.test_consumer import WORKER, Listener, command
from tests.worlds import Upstreams, small_world
from worker.consumer import Consumer
from worker.jobs.catalog import renew_catalog

LONG = timedelta(seconds=10)


def ranking_command(world: World, length: int = 200, name: str = "top") -> RefreshRanking:
    return RefreshRanking(id=name, length=length, created_at=world.clock(), request_id=f"r-{name}")


@asynccontextmanager
async def consuming(world: World, *roles: Role) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for role in roles:
            await world.queue.heartbeat(role, WORKER)
            consumer = Consumer(role, WORKER, world)
            task = asyncio.create_task(consumer.run())
            stack.push_async_callback(asyncio.wait_for, task, 5)
            stack.callback(consumer.stop)
        yield


async def submit(world: World, role: Role, *commands: Command) -> None:
    await world.queue.heartbeat(role, WORKER)
    await world.queue.submit(role, commands, wait=LONG)


async def test_a_command_brings_a_ranking_after_its_prices(world: World) -> None:
    await renew_catalog(world)
    listener = await Listener(world).open()
    async with consuming(world, Role.RANKING):
        await submit(world, Role.RANKING, ranking_command(world))
        prices, ranking = await listener.next(), await listener.next()
    assert isinstance(prices, RatesStored)
    assert isinstance(ranking, RankingStored)
    assert ranking.command_ids == ("top",)
    assert {rate.currency_id for rate in prices.stored} == set(ranking.ranking.currency_ids)
    depth = await world.queue.depth(Role.RANKING)
    assert (depth.accepted, depth.done, depth.dead) == (1, 1, 0)
    assert (await world.storage.visits(limit=1))[0].reason is VisitReason.REFRESH


async def test_those_that_wait_form_one_visit_of_the_longest_length(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    lengths = {"short": 100, "long": 450, "middle": 200}
    await submit(
        world, Role.RANKING, *(ranking_command(world, length, name) for name, length in lengths.items())
    )
    listener = await Listener(world).open()
    before = await upstreams.calls()
    async with consuming(world, Role.RANKING):
        while not isinstance(fact := await listener.next(), RankingStored):
            pass
    assert set(fact.command_ids) == set(lengths)
    assert len(fact.ranking.currency_ids) == 600
    assert await upstreams.calls() - before == 1


async def test_a_ranking_that_fails_ends_each_command(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    await upstreams.fault(path="listings", kind="status", code=500)
    await submit(world, Role.RANKING, ranking_command(world, 200, "one"), ranking_command(world, 400, "two"))
    listener = await Listener(world).open()
    async with consuming(world, Role.RANKING):
        facts = [await listener.next(), await listener.next()]
    assert {fact.command_id for fact in facts} == {"one", "two"}
    ends = [failure for fact in facts for failure in fact.failures]
    assert [(one.currency_id, one.kind) for one in ends] == [(None, FailureKind.VISITED)] * 2


async def test_what_a_failed_ranking_stored_is_told_before_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await renew_catalog(world)

    async def down(*_: object, **__: object) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(type(world.storage), "record_ranking", down)
    listener = await Listener(world).open()
    async with consuming(world, Role.RANKING):
        await submit(world, Role.RANKING, ranking_command(world))
        prices, end = await listener.next(), await listener.next()
    assert isinstance(prices, RatesStored)
    assert len(prices.stored) == 200
    assert isinstance(end, RefreshFailed)
    assert [one.kind for one in end.failures] == [FailureKind.DATABASE_AWAY]


async def test_without_a_catalog_a_ranking_is_not_tried(world: World, upstreams: Upstreams) -> None:
    listener = await Listener(world).open()
    async with consuming(world, Role.RANKING):
        await submit(world, Role.RANKING, ranking_command(world))
        fact = await listener.next()
    assert isinstance(fact, RefreshFailed)
    assert [one.kind for one in fact.failures] == [FailureKind.NOT_TRIED]
    assert await upstreams.calls() == 0


async def test_an_expired_ranking_command_is_dropped(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    await world.queue.heartbeat(Role.RANKING, WORKER)
    listener = await Listener(world).open()
    await world.queue.submit(Role.RANKING, [ranking_command(world)], wait=timedelta(milliseconds=1))
    await asyncio.sleep(0.01)
    before = await upstreams.calls()
    async with consuming(world, Role.RANKING):
        fact = await listener.next()
    assert [(one.currency_id, one.kind) for one in fact.failures] == [(None, FailureKind.DEADLINE)]
    assert await upstreams.calls() == before


@pytest.mark.parametrize("role", list(Role))
async def test_a_command_of_another_role_is_a_dead_letter(
    world: World, upstreams: Upstreams, role: Role
) -> None:
    await renew_catalog(world)
    before = await upstreams.calls()
    misled: Command = (
        command(world, 1, name="x") if role is Role.RANKING else ranking_command(world, 200, "x")
    )
    listener = await Listener(world).open()
    async with consuming(world, role):
        await submit(world, role, misled)
        fact = await listener.next()
    assert isinstance(fact, RefreshFailed)
    (failure,) = fact.failures
    asked = 1 if role is Role.RANKING else None
    assert (fact.command_id, failure.currency_id, failure.kind) == ("x", asked, FailureKind.NOT_TRIED)
    assert "not a command of this role" in failure.detail
    depth = await world.queue.depth(role)
    assert (depth.dead, depth.done, depth.processing) == (1, 0, 0)
    assert await upstreams.calls() == before
    await world.queue.heartbeat(role, WORKER)
    assert await world.queue.submit(role, [misled], wait=LONG) == []


async def test_a_slow_ranking_holds_up_no_price_of_the_same_worker(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    await upstreams.fault(path="listings", kind="latency", ms=1500)
    listener = await Listener(world).open()
    async with consuming(world, Role.RANKING, Role.PRICING):
        await submit(world, Role.RANKING, ranking_command(world))
        await submit(world, Role.PRICING, command(world, 1))
        facts = [await listener.next() for _ in range(3)]
    assert [type(fact) for fact in facts] == [RatesStored, RatesStored, RankingStored]
    assert facts[0].command_ids == ("one",)


async def test_a_long_command_is_served_by_a_listing(world: World, upstreams: Upstreams) -> None:
    await renew_catalog(world)
    top = [one.id for one in await world.storage.catalog() if one.rank is not None][:600]
    listener = await Listener(world).open()
    async with consuming(world, Role.PRICING):
        await submit(world, Role.PRICING, command(world, *top))
        fact = await listener.next()
    assert isinstance(fact, RatesStored)
    assert (await upstreams.calls("listings"), await upstreams.calls("quotes")) == (1, 0)
    assert (await world.storage.visits(limit=1))[0].credits == 3


async def test_a_currency_that_a_short_command_asks_for_is_quoted_beside_a_listing(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    top = [one.id for one in await world.storage.catalog() if one.rank is not None][:600]
    listing, alone = command(world, *top[:-1], name="list"), command(world, top[-1], name="alone")
    await submit(world, Role.PRICING, listing, alone)
    await upstreams.fault(path="listings", kind="missing", ids=[top[-1]])
    listener = await Listener(world).open()
    async with consuming(world, Role.PRICING):
        facts = [await listener.next(), await listener.next()]
    assert top[-1] in {rate.currency_id for fact in facts for rate in fact.stored}
    assert (await upstreams.calls("listings"), await upstreams.calls("quotes")) == (1, 1)


async def test_a_long_command_that_fails_for_one_reason_is_a_short_line_in_the_log(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    top = sorted(one.id for one in await world.storage.catalog() if one.rank is not None)[:150]
    await upstreams.fault(path="quotes", kind="status", code=1001)
    await upstreams.fault(path="listings", kind="status", code=1001)
    listener = await Listener(world).open()
    with structlog.testing.capture_logs() as lines:
        async with consuming(world, Role.PRICING):
            await submit(world, Role.PRICING, command(world, *top))
            fact = await listener.next()
    assert isinstance(fact, RefreshFailed)
    assert len(fact.failures) == 150
    (line,) = (one for one in lines if one["event"] == "refreshed")
    (told,) = line["failures"]
    assert told.startswith(f"{', '.join(map(str, top[:5]))} and 145 more: ")


async def test_the_ranking_of_one_source_and_prices_of_another_are_asked_for_side_by_side(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path, sources=("coinmarketcap", "cryptocompare")) as (world, upstreams):
        await renew_catalog(world)
        await upstreams.fault(kind="latency", ms=1000)
        listener = await Listener(world).open()
        facts: dict[type[Fact], Any] = {}
        async with consuming(world, Role.RANKING, Role.PRICING):
            await submit(world, Role.RANKING, ranking_command(world))
            await submit(world, Role.PRICING, command(world, 1))
            while len(facts) < 2:
                fact = await listener.next()
                if getattr(fact, "command_ids", None):
                    facts[type(fact)] = fact
        assert facts[RankingStored].ranking.source == "cryptocompare"
        assert {rate.source for rate in facts[RatesStored].stored} == {"coinmarketcap"}
        times = [*await upstreams.called_at("totalvolfull"), *await upstreams.called_at("quotes")]
        assert len(times) == 3
        assert max(times) - min(times) < timedelta(seconds=1)

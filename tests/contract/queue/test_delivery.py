"""Commands reach a worker in order, as one batch, and come back counted."""

import asyncio
from datetime import timedelta

from shared.messages import Role
from shared.ports import DeadLetter
from tests.contract.queue.arena import (
    LONG,
    ROLE,
    SHORT,
    Arena,
    currencies_of,
    held,
    ids,
    refresh,
    worker_is_known,
)


async def test_all_that_waits_comes_as_one_batch_in_order(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    commands = [refresh(number) for number in range(1, 6)]
    await arena.queue.submit(ROLE, commands[:3], wait=LONG)
    await arena.elsewhere.submit(ROLE, commands[3:], wait=LONG)
    assert ids(await held(arena.queue, "w")) == [command.id for command in commands]


async def test_what_is_held_comes_again_before_what_is_new(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    first, second = refresh(1), refresh(2)
    await arena.queue.submit(ROLE, [first], wait=LONG)
    assert ids(await held(arena.queue, "w")) == [first.id]
    await arena.queue.submit(ROLE, [second], wait=LONG)
    deliveries = await held(arena.queue, "w")
    assert ids(deliveries) == [first.id, second.id]
    assert [delivery.attempt for delivery in deliveries] == [1, 1]


async def test_a_worker_takes_at_most_500_at_a_time(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(number) for number in range(1, 503)], wait=LONG)
    deliveries = await held(arena.queue, "w")
    assert len(deliveries) == 500
    await arena.queue.finish(ROLE, "w", done=deliveries)
    assert len(await held(arena.queue, "w")) == 2


async def test_a_blocking_take_wakes_for_the_whole_burst(arena: Arena) -> None:
    taking = asyncio.create_task(arena.queue.take(ROLE, "w", block=timedelta(seconds=5)))
    await worker_is_known(arena.elsewhere)
    commands = [refresh(number) for number in range(1, 4)]
    await arena.elsewhere.submit(ROLE, commands, wait=LONG)
    assert ids((await taking).deliveries) == [command.id for command in commands]


async def test_a_blocking_take_does_not_wait_where_it_holds_something(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    command = refresh(1)
    await arena.queue.submit(ROLE, [command], wait=LONG)
    await held(arena.queue, "w")
    async with asyncio.timeout(1):
        batch = await arena.queue.take(ROLE, "w", block=timedelta(seconds=30))
    assert ids(batch.deliveries) == [command.id]


async def test_a_blocking_take_ends_empty_when_its_time_is_up(arena: Arena) -> None:
    async with asyncio.timeout(2):
        batch = await arena.queue.take(ROLE, "w", block=SHORT)
    assert batch.deliveries == ()


async def test_a_cancelled_take_loses_nothing(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    for number in range(1, 31):
        taking = asyncio.create_task(arena.queue.take(ROLE, "w", block=timedelta(seconds=5)))
        submitting = asyncio.create_task(arena.elsewhere.submit(ROLE, [refresh(number)], wait=LONG))
        for _ in range(number):
            await asyncio.sleep(0)
        taking.cancel()
        await asyncio.gather(taking, submitting, return_exceptions=True)
    deliveries = await held(arena.queue, "w")
    assert {currencies_of(one) for one in deliveries} == {(one,) for one in range(1, 31)}


async def test_two_workers_never_hold_the_same_command(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "a")
    first, second = refresh(1), refresh(2)
    await arena.queue.submit(ROLE, [first], wait=LONG)
    assert ids(await held(arena.queue, "a")) == [first.id]
    await arena.queue.submit(ROLE, [second], wait=LONG)
    assert ids(await held(arena.elsewhere, "b")) == [second.id]


async def test_a_worker_learns_whether_others_are_at_work(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "a")
    await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    alone = await arena.queue.take(ROLE, "a", block=None)
    beside = await arena.elsewhere.take(ROLE, "b", block=None)
    await arena.queue.finish(ROLE, "a", done=alone.deliveries)
    after = await arena.elsewhere.take(ROLE, "b", block=None)
    assert [batch.others_at_work for batch in (alone, beside, after)] == [False, True, False]


async def test_roles_have_lists_of_their_own(arena: Arena) -> None:
    await arena.queue.heartbeat(Role.RANKING, "w")
    await arena.queue.submit(Role.RANKING, [refresh(1)], wait=LONG)
    assert await held(arena.queue, "w") == ()
    assert (await arena.queue.depth(ROLE)).accepted == 0
    assert (await arena.queue.depth(Role.RANKING)).waiting == 1


async def test_time_runs_out_by_the_queues_clock(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(1)], wait=SHORT)
    await arena.outlive(SHORT)
    (delivery,) = await held(arena.queue, "w")
    assert delivery.command is not None
    assert delivery.time_left <= timedelta(0)


async def test_what_is_given_back_comes_first_and_is_counted(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    commands = [refresh(number) for number in range(1, 5)]
    await arena.queue.submit(ROLE, commands[:3], wait=LONG)
    kept, *given = await held(arena.queue, "w")
    await arena.queue.submit(ROLE, commands[3:], wait=LONG)
    await arena.queue.give_back(ROLE, "w", given)
    deliveries = await held(arena.queue, "other")
    assert ids(deliveries) == [commands[1].id, commands[2].id, commands[3].id]
    assert [delivery.attempt for delivery in deliveries] == [2, 2, 1]
    assert ids(await held(arena.queue, "w")) == ids((kept,))


async def test_every_return_counts_as_an_attempt(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    attempts = []
    for _ in range(4):
        deliveries = await held(arena.queue, "w")
        attempts.append(deliveries[0].attempt)
        await arena.queue.give_back(ROLE, "w", deliveries)
    assert attempts == [1, 2, 3, 4]


async def test_a_worker_cannot_give_back_what_it_does_not_hold(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    deliveries = await held(arena.queue, "w")
    await arena.queue.give_back(ROLE, "other", deliveries)
    depth = await arena.queue.depth(ROLE)
    assert (depth.waiting, depth.processing) == (0, 1)


async def test_dead_letters_are_booked_and_release_their_claims(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(1), refresh(2)], wait=LONG)
    poison, good = await held(arena.queue, "w")
    await arena.queue.finish(ROLE, "w", done=[good], dead=[DeadLetter(poison, "tried 3 times")])
    depth = await arena.queue.depth(ROLE)
    assert (depth.done, depth.dead, depth.waiting, depth.processing) == (1, 1, 0, 0)
    assert await arena.queue.submit(ROLE, [refresh(1, 2)], wait=LONG) == []


async def test_a_second_end_of_the_same_delivery_is_not_booked(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    deliveries = await held(arena.queue, "w")
    await arena.queue.finish(ROLE, "w", done=deliveries)
    await arena.queue.finish(ROLE, "w", dead=[DeadLetter(deliveries[0], "again")])
    depth = await arena.queue.depth(ROLE)
    assert (depth.accepted, depth.done, depth.dead) == (1, 1, 0)

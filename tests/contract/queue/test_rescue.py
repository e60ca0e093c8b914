"""What a worker held that died, retired or was only thought dead."""

from typing import Any

import pytest

from shared.errors import WorkerGone
from shared.messages import Fact, RatesStored, RefreshFailed, RefreshRates
from shared.ports import Announced, DeadLetter, Delivery
from tests.contract.queue.arena import LONG, ROLE, Arena, Heard, fact, held, ids, listening, refresh
from tests.contract.queue.samples import FAILURE, RATE

Deliveries = tuple[Delivery, ...]


async def test_what_a_dead_worker_held_comes_back_first_and_counted(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "dead")
    commands = [refresh(number) for number in range(1, 4)]
    await arena.queue.submit(ROLE, commands[:2], wait=LONG)
    await held(arena.queue, "dead")
    await arena.queue.submit(ROLE, commands[2:], wait=LONG)
    await arena.fall_silent()
    assert await arena.elsewhere.rescue(ROLE) == 2
    deliveries = await held(arena.elsewhere, "alive")
    assert ids(deliveries) == [command.id for command in commands]
    assert [delivery.attempt for delivery in deliveries] == [2, 2, 1]


async def test_a_live_worker_is_not_robbed(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    deliveries = await held(arena.queue, "w")
    assert await arena.elsewhere.rescue(ROLE) == 0
    assert ids(await held(arena.queue, "w")) == ids(deliveries)


async def test_asking_for_commands_is_a_sign_of_life(arena: Arena) -> None:
    await held(arena.queue, "w")
    assert await arena.queue.submit(ROLE, [refresh(1)], wait=LONG) == []


async def test_what_a_retiring_worker_holds_waits_again_at_once(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "stays")
    command = refresh(1)
    await arena.queue.submit(ROLE, [command], wait=LONG)
    await held(arena.queue, "leaves")
    await arena.queue.retire(ROLE, "leaves")
    assert ids(await held(arena.elsewhere, "stays")) == [command.id]
    assert (await arena.queue.depth(ROLE)).workers == 1


async def test_the_end_of_a_delivery_that_was_rescued_changes_neither_books_nor_claims(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "thought dead")
    command = refresh(1)
    await arena.queue.submit(ROLE, [command], wait=LONG)
    late = await held(arena.queue, "thought dead")
    await arena.fall_silent()
    await arena.elsewhere.rescue(ROLE)
    again = await held(arena.elsewhere, "rescuer")
    await arena.queue.finish(ROLE, "thought dead", done=late)
    depth = await arena.queue.depth(ROLE)
    assert (depth.done, depth.processing) == (0, 1)
    (lost,) = await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    assert lost.holder == command.id
    await arena.elsewhere.finish(ROLE, "rescuer", done=again)
    depth = await arena.queue.depth(ROLE)
    assert (depth.done, depth.processing) == (1, 0)


async def rescued(arena: Arena, *commands: RefreshRates) -> tuple[Deliveries, Deliveries]:
    """The commands in the hands of a worker that was thought dead, and the same in those of its rescuer."""
    await arena.queue.heartbeat(ROLE, "thought dead")
    await arena.queue.submit(ROLE, commands, wait=LONG)
    late = await held(arena.queue, "thought dead")
    await arena.fall_silent()
    await arena.elsewhere.rescue(ROLE)
    return late, await held(arena.elsewhere, "rescuer")


def failed(command: RefreshRates) -> RefreshFailed:
    return RefreshFailed(command_id=command.id, failures=(FAILURE,))


async def next_facts(heard: Heard, count: int) -> list[Fact]:
    events = [await heard.next() for _ in range(count)]
    return [event.fact for event in events if isinstance(event, Announced)]


@pytest.mark.parametrize("is_dead", [False, True])
async def test_a_failure_is_heard_only_from_who_still_held_the_command(
    arena: Arena, *, is_dead: bool
) -> None:
    command = refresh(1)
    late, again = await rescued(arena, command)

    def ends(deliveries: Deliveries) -> dict[str, Any]:
        return (
            {"dead": [DeadLetter(one, "poison") for one in deliveries]} if is_dead else {"done": deliveries}
        )

    async with listening(arena.elsewhere) as heard:
        await heard.next()
        await arena.queue.finish(ROLE, "thought dead", facts=[failed(command)], **ends(late))
        await arena.elsewhere.finish(
            ROLE, "rescuer", facts=[fact(1), failed(command), fact(2)], **ends(again)
        )
        assert await next_facts(heard, 3) == [fact(1), failed(command), fact(2)]


async def test_the_rates_of_a_worker_that_was_thought_dead_are_heard(arena: Arena) -> None:
    command = refresh(1)
    late, _ = await rescued(arena, command)
    stored = RatesStored(stored=(RATE,), command_ids=(command.id,))
    async with listening(arena.elsewhere) as heard:
        await heard.next()
        await arena.queue.finish(ROLE, "thought dead", facts=[failed(command), stored, fact(1)], done=late)
        assert await next_facts(heard, 2) == [stored, fact(1)]


async def test_each_failure_depends_on_its_own_delivery(arena: Arena) -> None:
    lost, kept, foreign = refresh(1), refresh(2), refresh(3)
    late, _ = await rescued(arena, lost)
    await arena.queue.submit(ROLE, [kept], wait=LONG)
    (own,) = await held(arena.queue, "thought dead")
    facts = [failed(lost), failed(kept), failed(foreign)]
    async with listening(arena.elsewhere) as heard:
        await heard.next()
        await arena.queue.finish(ROLE, "thought dead", facts=facts, done=[*late, own])
        await arena.elsewhere.announce([fact(1)])
        assert await next_facts(heard, 3) == [failed(kept), failed(foreign), fact(1)]


async def test_a_failure_is_heard_once_though_its_end_is_told_twice(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    command = refresh(1)
    await arena.queue.submit(ROLE, [command], wait=LONG)
    deliveries = await held(arena.queue, "w")
    async with listening(arena.elsewhere) as heard:
        await heard.next()
        for number in (1, 2):
            await arena.queue.finish(ROLE, "w", facts=[failed(command), fact(number)], done=deliveries)
        assert await next_facts(heard, 3) == [failed(command), fact(1), fact(2)]


async def test_a_worker_that_was_thought_dead_lives_on_with_its_next_heartbeat(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.fall_silent()
    await arena.elsewhere.rescue(ROLE)
    with pytest.raises(WorkerGone):
        await arena.elsewhere.submit(ROLE, [refresh(1)], wait=LONG)
    await arena.queue.heartbeat(ROLE, "w")
    assert await arena.elsewhere.submit(ROLE, [refresh(1)], wait=LONG) == []

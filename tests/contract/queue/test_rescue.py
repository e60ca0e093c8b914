"""What a worker held that died, retired or was only thought dead."""

import pytest

from shared.errors import WorkerGone
from tests.contract.queue.arena import LONG, ROLE, Arena, held, ids, refresh


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


async def test_a_worker_that_was_thought_dead_lives_on_with_its_next_heartbeat(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.fall_silent()
    await arena.elsewhere.rescue(ROLE)
    with pytest.raises(WorkerGone):
        await arena.elsewhere.submit(ROLE, [refresh(1)], wait=LONG)
    await arena.queue.heartbeat(ROLE, "w")
    assert await arena.elsewhere.submit(ROLE, [refresh(1)], wait=LONG) == []

"""Many ask, one goes: who wins a currency, who waits, and until when."""

from datetime import timedelta

import pytest

from shared.errors import WorkerGone
from shared.messages import RefreshFailed
from tests.contract.queue.arena import LONG, ROLE, SHORT, Arena, currencies_of, held, ids, refresh

ONE_MS = timedelta(milliseconds=1)


async def test_a_command_that_wins_all_its_currencies_is_pushed_whole(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    command = refresh(1, 1027, 2**53 + 1)
    assert await arena.queue.submit(ROLE, [command], wait=LONG) == []
    (delivery,) = await held(arena.elsewhere, "w")
    assert delivery.command is not None
    assert currencies_of(delivery) == (1, 1027, 2**53 + 1)
    assert delivery.command.id == command.id
    assert delivery.command.created_at == command.created_at
    assert delivery.command.request_id == command.request_id


async def test_the_queue_sets_the_deadline_by_its_clock(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    (delivery,) = await held(arena.queue, "w")
    assert delivery.command is not None
    assert delivery.command.deadline_ms > 0
    assert LONG - timedelta(seconds=1) < delivery.time_left <= LONG


async def test_a_command_is_pushed_with_what_it_won_and_told_who_holds_the_rest(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    first, second = refresh(1), refresh(1, 2)
    await arena.queue.submit(ROLE, [first], wait=LONG)
    (lost,) = await arena.elsewhere.submit(ROLE, [second], wait=LONG)
    assert (lost.currency_id, lost.holder) == (1, first.id)
    assert timedelta(0) < lost.expires_in <= LONG
    assert [currencies_of(delivery) for delivery in await held(arena.queue, "w")] == [(1,), (2,)]


async def test_a_command_that_won_nothing_is_not_pushed(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    first = refresh(1)
    await arena.queue.submit(ROLE, [first], wait=LONG)
    await arena.elsewhere.submit(ROLE, [refresh(1)], wait=LONG)
    assert ids(await held(arena.queue, "w")) == [first.id]
    assert (await arena.queue.depth(ROLE)).accepted == 1


async def test_commands_of_one_submission_compete_too(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    first, second = refresh(1, 2), refresh(2, 3)
    (lost,) = await arena.queue.submit(ROLE, [first, second], wait=LONG)
    assert (lost.currency_id, lost.holder) == (2, first.id)


async def test_a_currency_named_twice_is_claimed_once(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    assert await arena.queue.submit(ROLE, [refresh(1, 1)], wait=LONG) == []
    (delivery,) = await held(arena.queue, "w")
    assert currencies_of(delivery) == (1,)


async def test_a_claim_that_ran_out_can_be_won_again(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(1)], wait=SHORT)
    await arena.outlive(SHORT)
    assert await arena.elsewhere.submit(ROLE, [refresh(1)], wait=LONG) == []


async def test_a_wait_of_nothing_still_claims_for_a_moment(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    assert await arena.queue.submit(ROLE, [refresh(1)], wait=timedelta(0)) == []
    await arena.outlive(ONE_MS)
    (delivery,) = await held(arena.queue, "w")
    assert delivery.time_left <= timedelta(0)


async def test_the_end_of_a_command_releases_its_claims(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    command = refresh(1, 2)
    await arena.queue.submit(ROLE, [command], wait=LONG)
    fact = RefreshFailed(command_id=command.id, failures=())
    await arena.queue.finish(ROLE, "w", facts=[fact], done=await held(arena.queue, "w"))
    assert await arena.elsewhere.submit(ROLE, [refresh(1, 2)], wait=LONG) == []


async def test_a_late_end_leaves_the_claim_of_its_successor_alone(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(1)], wait=SHORT)
    late = await held(arena.queue, "w")
    await arena.outlive(SHORT)
    successor = refresh(1)
    await arena.queue.submit(ROLE, [successor], wait=LONG)
    await arena.queue.finish(ROLE, "w", done=late)
    (lost,) = await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    assert lost.holder == successor.id


async def test_without_a_live_worker_nothing_is_pushed_or_claimed(arena: Arena) -> None:
    with pytest.raises(WorkerGone):
        await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    await arena.queue.heartbeat(ROLE, "w")
    assert (await arena.queue.depth(ROLE)).accepted == 0
    assert await arena.queue.submit(ROLE, [refresh(1)], wait=LONG) == []


async def test_a_worker_without_heartbeat_is_gone(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.fall_silent()
    with pytest.raises(WorkerGone):
        await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    assert (await arena.queue.depth(ROLE)).workers == 0


async def test_a_retired_worker_is_gone_at_once(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.retire(ROLE, "w")
    with pytest.raises(WorkerGone):
        await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)

"""Commands for a ranking: claimed by their length, beside those for rates."""

import pytest

from shared.domain.visit import Failure, FailureKind
from shared.errors import WorkerGone
from shared.messages import Command, RefreshFailed, RefreshRanking, Role
from shared.ports import Announced, DeadLetter
from tests.contract.queue.arena import (
    LONG,
    ROLE,
    SHORT,
    Arena,
    held,
    ids,
    listening,
    refresh,
    refresh_ranking,
)


async def test_a_command_arrives_as_it_was_sent_with_a_deadline(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    command = refresh_ranking(5000)
    assert await arena.queue.submit(ROLE, [command], wait=LONG) == []
    (delivery,) = await held(arena.elsewhere, "w")
    assert isinstance(delivery.command, RefreshRanking)
    assert delivery.command.deadline_ms > 0
    assert delivery.time_left <= LONG
    told = (delivery.command.id, delivery.command.length, delivery.command.created_at)
    assert told == (command.id, 5000, command.created_at)


async def test_whoever_loses_is_told_who_holds_the_ranking_and_pushes_nothing(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    first = refresh_ranking(200)
    await arena.queue.submit(ROLE, [first], wait=LONG)
    (lost,) = await arena.elsewhere.submit(ROLE, [refresh_ranking(200)], wait=LONG)
    assert (lost.currency_id, lost.holder) == (None, first.id)
    assert lost.expires_in <= LONG
    assert ids(await held(arena.queue, "w")) == [first.id]
    assert (await arena.queue.depth(ROLE)).accepted == 1


async def test_lengths_have_claims_of_their_own(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    both = [refresh_ranking(200), refresh_ranking(400)]
    assert await arena.queue.submit(ROLE, both, wait=LONG) == []


async def test_a_ranking_and_a_currency_of_the_same_number_do_not_meet(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    commands: list[Command] = [refresh(200), refresh_ranking(200)]
    assert await arena.queue.submit(ROLE, commands, wait=LONG) == []
    assert ids(await held(arena.queue, "w")) == [command.id for command in commands]
    lost = await arena.queue.submit(ROLE, [refresh_ranking(200), refresh(200)], wait=LONG)
    assert [(one.currency_id, one.holder) for one in lost] == [(None, commands[1].id), (200, commands[0].id)]


async def test_a_claim_of_a_ranking_that_ran_out_can_be_won_again(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh_ranking(200)], wait=SHORT)
    await arena.outlive(SHORT)
    assert await arena.elsewhere.submit(ROLE, [refresh_ranking(200)], wait=LONG) == []


async def test_the_end_announces_the_failure_and_releases_the_claim(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    command = refresh_ranking(200)
    await arena.queue.submit(ROLE, [command], wait=LONG)
    failure = Failure(currency_id=None, kind=FailureKind.VISITED, detail="Both failed.")
    fact = RefreshFailed(command_id=command.id, failures=(failure,))
    async with listening(arena.elsewhere) as heard:
        await heard.next()
        await arena.queue.finish(ROLE, "w", facts=[fact], done=await held(arena.queue, "w"))
        event = await heard.next()
    assert isinstance(event, Announced)
    assert event.fact == fact
    assert await arena.elsewhere.submit(ROLE, [refresh_ranking(200)], wait=LONG) == []


async def test_a_dead_letter_releases_the_claim(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh_ranking(200)], wait=LONG)
    (delivery,) = await held(arena.queue, "w")
    await arena.queue.finish(ROLE, "w", dead=[DeadLetter(delivery, "tried 3 times")])
    assert await arena.queue.submit(ROLE, [refresh_ranking(200)], wait=LONG) == []


async def test_the_failure_of_one_who_was_thought_dead_is_not_announced(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    command = refresh_ranking(200)
    await arena.queue.submit(ROLE, [command], wait=LONG)
    late = await held(arena.queue, "w")
    await arena.fall_silent()
    assert await arena.elsewhere.rescue(ROLE) == 1
    (again,) = await held(arena.elsewhere, "other")
    assert (again.attempt, again.command and again.command.id) == (2, command.id)
    failed = RefreshFailed(command_id=command.id, failures=())
    async with listening(arena.elsewhere) as heard:
        await heard.next()
        await arena.queue.finish(ROLE, "w", facts=[failed], done=late)
        (lost,) = await arena.queue.submit(ROLE, [refresh_ranking(200)], wait=LONG)
        ended = RefreshFailed(command_id=command.id, failures=())
        await arena.queue.finish(ROLE, "other", facts=[ended], done=[again])
        await heard.next()
        assert heard.events.empty()
    assert lost.holder == command.id


async def test_without_a_worker_of_the_role_no_ranking_can_be_asked_for(arena: Arena) -> None:
    await arena.queue.heartbeat(Role.PRICING, "w")
    with pytest.raises(WorkerGone):
        await arena.queue.submit(Role.RANKING, [refresh_ranking(200)], wait=LONG)

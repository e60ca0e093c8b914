"""Commands for the catalog: there is one claim, whoever asks, and a list of their own beside that of the refreshes."""

import pytest

from shared.domain.visit import Failure, FailureKind
from shared.errors import WorkerGone
from shared.messages import CatalogStored, Command, RefreshFailed, RenewCatalog, Role
from shared.ports import Announced, DeadLetter, Delivery, QueueDepth
from tests.contract.queue import arena as arenas
from tests.contract.queue.arena import (
    LONG,
    SHORT,
    Arena,
    ids,
    listening,
    refresh,
    refresh_ranking,
    renew_catalog,
)

ROLE = Role.CATALOG


async def held(arena: Arena, worker: str = "w") -> tuple[Delivery, ...]:
    return await arenas.held(arena.queue, worker, ROLE)


async def submitted(arena: Arena) -> RenewCatalog:
    """One that won, with a worker alive."""
    await arena.queue.heartbeat(ROLE, "w")
    command = renew_catalog()
    assert await arena.queue.submit(ROLE, [command], wait=LONG) == []
    return command


async def test_a_command_arrives_as_it_was_sent_with_a_deadline(arena: Arena) -> None:
    command = await submitted(arena)
    (delivery,) = await arenas.held(arena.elsewhere, "w", ROLE)
    assert isinstance(delivery.command, RenewCatalog)
    assert delivery.command.deadline_ms > 0
    assert delivery.time_left <= LONG
    told = (delivery.command.id, delivery.command.request_id, delivery.command.created_at)
    assert told == (command.id, "r", command.created_at)


async def test_of_two_who_ask_one_wins_and_the_other_is_told_who(arena: Arena) -> None:
    first = await submitted(arena)
    (lost,) = await arena.elsewhere.submit(ROLE, [renew_catalog()], wait=LONG)
    assert (lost.currency_id, lost.holder) == (None, first.id)
    assert lost.expires_in <= LONG
    assert ids(await held(arena)) == [first.id]
    assert (await arena.queue.depth(ROLE)).accepted == 1


async def test_the_commands_of_one_submission_compete_too(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    first, second = renew_catalog(), renew_catalog()
    (lost,) = await arena.queue.submit(ROLE, [first, second], wait=LONG)
    assert lost.holder == first.id
    assert ids(await held(arena)) == [first.id]


async def test_it_meets_neither_currencies_nor_rankings(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    commands: list[Command] = [refresh(1), renew_catalog(), refresh_ranking(200)]
    assert await arena.queue.submit(ROLE, commands, wait=LONG) == []
    again: list[Command] = [renew_catalog(), refresh_ranking(200), refresh(1)]
    lost = await arena.elsewhere.submit(ROLE, again, wait=LONG)
    holders = [commands[1].id, commands[2].id, commands[0].id]
    assert [(one.currency_id, one.holder) for one in lost] == list(zip([None, None, 1], holders, strict=True))


async def test_a_claim_that_ran_out_can_be_won_again(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [renew_catalog()], wait=SHORT)
    await arena.outlive(SHORT)
    assert await arena.elsewhere.submit(ROLE, [renew_catalog()], wait=LONG) == []


@pytest.mark.parametrize("is_good", [True, False])
async def test_the_end_is_announced_and_releases_the_claim(arena: Arena, *, is_good: bool) -> None:
    command = await submitted(arena)
    failure = Failure(currency_id=None, kind=FailureKind.NOT_TRIED, detail="Too early.", retry_after=7.5)
    fact = (
        CatalogStored(currencies=10_000, command_ids=(command.id,))
        if is_good
        else RefreshFailed(command_id=command.id, failures=(failure,))
    )
    async with listening(arena.elsewhere) as heard:
        await heard.next()
        await arena.queue.finish(ROLE, "w", facts=[fact], done=await held(arena))
        event = await heard.next()
    assert isinstance(event, Announced)
    assert event.fact == fact
    assert await arena.elsewhere.submit(ROLE, [renew_catalog()], wait=LONG) == []


async def test_a_dead_letter_releases_the_claim(arena: Arena) -> None:
    await submitted(arena)
    (delivery,) = await held(arena)
    await arena.queue.finish(ROLE, "w", dead=[DeadLetter(delivery, "tried 3 times")])
    assert await arena.queue.submit(ROLE, [renew_catalog()], wait=LONG) == []


async def test_a_late_end_leaves_the_claim_of_its_successor_alone(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [renew_catalog()], wait=SHORT)
    late = await held(arena)
    await arena.outlive(SHORT)
    successor = await submitted(arena)
    await arena.queue.finish(ROLE, "w", done=late)
    (lost,) = await arena.queue.submit(ROLE, [renew_catalog()], wait=LONG)
    assert lost.holder == successor.id


async def test_what_a_dead_worker_held_is_rescued_and_its_failure_is_not_announced(arena: Arena) -> None:
    command = await submitted(arena)
    late = await held(arena)
    await arena.fall_silent()
    assert await arena.elsewhere.rescue(ROLE) == 1
    (again,) = await held(arena, "other")
    assert (again.attempt, ids((again,))) == (2, [command.id])
    stored = CatalogStored(currencies=1, command_ids=(command.id,))
    async with listening(arena.elsewhere) as heard:
        await heard.next()
        failed = RefreshFailed(command_id=command.id, failures=())
        await arena.queue.finish(ROLE, "w", facts=[failed], done=late)
        (lost,) = await arena.queue.submit(ROLE, [renew_catalog()], wait=LONG)
        await arena.queue.finish(ROLE, "other", facts=[stored], done=[again])
        event = await heard.next()
    assert lost.holder == command.id
    assert isinstance(event, Announced)
    assert event.fact == stored


async def test_what_a_retiring_worker_holds_waits_again_at_once(arena: Arena) -> None:
    command = await submitted(arena)
    await held(arena, "leaves")
    await arena.queue.retire(ROLE, "leaves")
    assert ids(await held(arena, "stays")) == [command.id]


async def test_the_books_are_its_own_and_balance(arena: Arena) -> None:
    await arena.queue.heartbeat(Role.PRICING, "w")
    await arena.queue.submit(Role.PRICING, [refresh(1)], wait=LONG)
    for is_dead in (False, True, False):
        await submitted(arena)
        (delivery,) = await held(arena)
        if is_dead:
            await arena.queue.finish(ROLE, "w", dead=[DeadLetter(delivery, "poison")])
        else:
            await arena.queue.finish(ROLE, "w", done=[delivery])
    await submitted(arena)
    assert await arena.queue.depth(ROLE) == QueueDepth(
        accepted=4, waiting=1, processing=0, done=2, dead=1, workers=1
    )
    assert (await arena.queue.depth(Role.PRICING)).accepted == 1


async def test_without_a_worker_of_the_role_nobody_can_ask_for_it(arena: Arena) -> None:
    await arena.queue.heartbeat(Role.PRICING, "w")
    with pytest.raises(WorkerGone):
        await arena.queue.submit(ROLE, [renew_catalog()], wait=LONG)

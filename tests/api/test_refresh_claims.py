"""Whoever loses the claim depends on another command, and is stranded by none."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.visit import Failure, FailureKind
from shared.errors import (
    UpstreamError,
)
from shared.messages import RefreshFailed
from shared.ports import LostClaim
from tests.api.flights import asking, submits, visited_for_another
from tests.api.rig import START, Rig, observed, until


async def test_who_loses_the_claim_is_answered_by_the_holders_visit(rig: Rig) -> None:
    await visited_for_another(rig)
    waiting = asking(rig)
    await asyncio.sleep(0.01)
    rig.worker.hold.set()
    assert (await waiting).currency_id == 1
    assert rig.worker.visits == [(1,)]


async def test_a_visit_that_began_before_the_request_serves_who_joined_it(rig: Rig) -> None:
    other = await visited_for_another(rig)
    await rig.advance(seconds=2)
    waiting = asking(rig)
    await asyncio.sleep(0.01)
    await rig.store(observed(price="7"), fetched_at=START + timedelta(seconds=1), command_ids=[other.id])
    assert str((await waiting).price_usd) == "7"
    rig.worker.hold.set()


@pytest.mark.parametrize(
    "wait", [10, 0.5], ids=["a whole claim", "a claim taken with the time that was left"]
)
@pytest.mark.parametrize("command_ids", [[], ["another"]], ids=["a poll", "another command"])
async def test_what_others_fetched_before_the_request_does_not_end_who_joined_a_visit(
    rig: Rig, wait: float, command_ids: list[str]
) -> None:
    await rig.advance(seconds=60)
    await visited_for_another(rig, wait=wait)
    await rig.advance(seconds=0.2)
    waiting = asking(rig)
    await asyncio.sleep(0.01)
    fetched_at = rig.clock() - timedelta(seconds=0.1)
    await rig.store(observed(price="7"), fetched_at=fetched_at, command_ids=command_ids)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    rig.worker.hold.set()
    assert str((await waiting).price_usd) == "101"


async def test_a_visit_that_names_its_commands_serves_them_whatever_the_workers_clock_says(rig: Rig) -> None:
    rig.worker.hold.clear()
    await rig.advance(seconds=60)
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    (own,) = rig.worker.commands
    await rig.store(observed(price="7"), fetched_at=START, command_ids=["another", own.id])
    assert str((await waiting).price_usd) == "7"
    rig.worker.hold.set()


async def test_the_holders_failure_ends_who_joined_it(rig: Rig) -> None:
    rig.worker.failure = FailureKind.VISITED
    await visited_for_another(rig)
    waiting = asking(rig)
    await asyncio.sleep(0.01)
    rig.worker.hold.set()
    with pytest.raises(UpstreamError):
        await waiting


async def test_a_failure_read_before_the_submits_answer_is_not_missed(rig: Rig) -> None:
    failure = Failure(currency_id=1, kind=FailureKind.VISITED, detail="early")

    async def late_answer(*_args: Any, **_options: Any) -> list[LostClaim]:
        await rig.queue.announce([RefreshFailed(command_id="holder", failures=(failure,))])
        await asyncio.sleep(0.01)
        return [LostClaim(1, "holder", timedelta(seconds=9))]

    async with submits(rig, late_answer):
        with pytest.raises(UpstreamError, match="early"):
            await asyncio.wait_for(asking(rig), 1)


async def test_a_rate_read_before_the_submits_answer_is_not_missed(rig: Rig) -> None:
    await rig.advance(seconds=1)

    async def late_answer(*_args: Any, **_options: Any) -> list[LostClaim]:
        for price, by in (("7", "holder"), ("8", "another")):
            fetched_at = START + timedelta(seconds=0.5)
            await rig.store(observed(price=price, source=by), fetched_at=fetched_at, command_ids=[by])
        await asyncio.sleep(0.01)
        return [LostClaim(1, "holder", timedelta(seconds=9))]

    async with submits(rig, late_answer):
        assert str((await asyncio.wait_for(asking(rig), 1)).price_usd) == "7"


async def test_what_the_holders_command_brought_before_the_request_does_not_end_it(rig: Rig) -> None:
    """A worker that was thought dead may announce rates of a command that its rescuer is still working on."""
    other = await visited_for_another(rig)
    await rig.store(observed(price="7"), command_ids=[other.id])
    await rig.advance(seconds=2)
    waiting = asking(rig)
    await asyncio.sleep(0.02)
    assert not waiting.done()
    rig.worker.hold.set()
    assert str((await waiting).price_usd) == "101"


async def test_whoever_asks_again_and_finds_its_own_first_command_at_work_is_served_by_it(rig: Rig) -> None:
    rig.worker.hold.clear()
    await rig.advance(seconds=60)
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    (own,) = rig.worker.commands
    rig.api.refresher.ask_again()
    await asyncio.sleep(0.01)
    await rig.store(observed(price="7"), fetched_at=START)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await rig.store(observed(price="8"), fetched_at=START, command_ids=[own.id])
    assert (await waiting).currency_id == 1
    assert rig.worker.visits == [(1,)]
    rig.worker.hold.set()


async def test_a_dead_claim_holder_strands_nobody(rig: Rig) -> None:
    answers = [[LostClaim(1, "dead", timedelta(seconds=0.05))]]

    async def lost_once(original: Any, *args: Any, **options: Any) -> Any:
        return answers.pop() if answers else await original(*args, **options)

    began = time.monotonic()
    async with submits(rig, lost_once):
        assert (await asking(rig)).currency_id == 1
    assert time.monotonic() - began < 1
    assert rig.worker.visits == [(1,)]


async def test_a_holders_deadline_with_time_left_of_ours_means_asking_again(rig: Rig) -> None:
    async def lost_once(original: Any, *args: Any, **options: Any) -> Any:
        if rig.api.refresher._failures:
            return await original(*args, **options)
        failure = Failure(currency_id=1, kind=FailureKind.DEADLINE, detail="theirs")
        await rig.queue.announce([RefreshFailed(command_id="holder", failures=(failure,))])
        await until(lambda: rig.api.refresher._failures)
        return [LostClaim(1, "holder", timedelta(seconds=9))]

    async with submits(rig, lost_once):
        assert (await asyncio.wait_for(asking(rig), 2)).currency_id == 1

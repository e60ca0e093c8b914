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
from shared.messages import RefreshFailed, Role
from shared.ports import LostClaim
from tests.api.flights import asking, command, submits
from tests.api.rig import START, Rig, observed, until


async def test_who_loses_the_claim_is_answered_by_the_holders_visit(rig: Rig) -> None:
    rig.worker.hold.clear()
    await rig.queue.submit(Role.PRICING, [command(rig, 1)], wait=timedelta(seconds=10))
    await until(lambda: rig.worker.visits)
    waiting = asking(rig)
    await asyncio.sleep(0.01)
    rig.worker.hold.set()
    assert (await waiting).currency_id == 1
    assert rig.worker.visits == [(1,)]


async def test_a_visit_that_began_before_the_request_serves_who_joined_it(rig: Rig) -> None:
    rig.worker.hold.clear()
    await rig.queue.submit(Role.PRICING, [command(rig, 1)], wait=timedelta(seconds=10))
    await until(lambda: rig.worker.visits)
    await rig.advance(seconds=2)
    waiting = asking(rig)
    await asyncio.sleep(0.01)
    await rig.store(observed(price="7"), fetched_at=START + timedelta(seconds=1))
    assert str((await waiting).price_usd) == "7"
    rig.worker.hold.set()


async def test_a_rate_from_before_the_joined_visit_does_not_end_it(rig: Rig) -> None:
    await rig.advance(seconds=60)
    rig.worker.hold.clear()
    await rig.queue.submit(Role.PRICING, [command(rig, 1)], wait=timedelta(seconds=10))
    await until(lambda: rig.worker.visits)
    waiting = asking(rig)
    await asyncio.sleep(0.01)
    await rig.store(observed(price="7"), fetched_at=START + timedelta(seconds=50))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    rig.worker.hold.set()
    assert str((await waiting).price_usd) == "101"


async def test_the_holders_failure_ends_who_joined_it(rig: Rig) -> None:
    rig.worker.hold.clear()
    rig.worker.failure = FailureKind.VISITED
    await rig.queue.submit(Role.PRICING, [command(rig, 1)], wait=timedelta(seconds=10))
    await until(lambda: rig.worker.visits)
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
        await rig.store(observed(price="7"), fetched_at=START + timedelta(seconds=0.5))
        await asyncio.sleep(0.01)
        return [LostClaim(1, "holder", timedelta(seconds=9))]

    async with submits(rig, late_answer):
        assert str((await asyncio.wait_for(asking(rig), 1)).price_usd) == "7"


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

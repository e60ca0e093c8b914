"""Gaps, outages and broken submits: whoever waits asks again, or hears at once."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from shared.errors import (
    QueueUnavailable,
    WorkerGone,
)
from shared.messages import RefreshRates, Role
from shared.ports import Gap, Outage
from tests.api.flights import asking, submits
from tests.api.rig import Rig, observed, recorded, until


async def test_after_a_gap_a_rate_that_the_store_has_ends_it(rig: Rig) -> None:
    rig.worker.hold.clear()
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    await recorded(rig.storage, observed(price="7"), fetched_at=rig.clock())
    rig.api.river._take(Gap())
    assert str((await asyncio.wait_for(waiting, 2)).price_usd) == "7"
    rig.worker.hold.set()


async def test_after_a_gap_whoever_still_waits_asks_again(rig: Rig) -> None:
    submitted: list[str] = []

    async def swallowed_once(original: Any, role: Role, commands: Sequence[RefreshRates], **o: Any) -> Any:
        submitted.extend(one.id for one in commands)
        return [] if len(submitted) == 1 else await original(role, commands, **o)

    async with submits(rig, swallowed_once):
        waiting = asking(rig)
        await until(lambda: submitted)
        rig.api.river._take(Gap())
        assert (await asyncio.wait_for(waiting, 2)).currency_id == 1
    assert len(set(submitted)) == 2


async def test_asking_again_while_the_own_command_is_at_work_visits_once(rig: Rig) -> None:
    rig.worker.hold.clear()
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    rig.api.river._take(Gap())
    await asyncio.sleep(0.05)
    rig.worker.hold.set()
    assert (await waiting).currency_id == 1
    assert rig.worker.visits == [(1,)]


async def test_an_outage_fails_waiters_at_once_and_newcomers_until_the_next_gap(rig: Rig) -> None:
    rig.worker.hold.clear()
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    rig.api.river._take(Outage())
    with pytest.raises(QueueUnavailable):
        await asyncio.wait_for(waiting, 0.5)
    with pytest.raises(QueueUnavailable):
        await asyncio.wait_for(asking(rig), 0.5)
    rig.api.river._take(Gap())
    rig.worker.hold.set()
    assert (await asking(rig)).currency_id == 1


@pytest.mark.parametrize("is_stop", [False, True])
async def test_after_an_outage_or_a_stop_nothing_is_sent_that_nobody_waits_for(
    rig: Rig, *, is_stop: bool
) -> None:
    gate = asyncio.Event()
    sent: list[tuple[int, ...]] = []

    async def slow(original: Any, role: Role, commands: Sequence[RefreshRates], **options: Any) -> Any:
        sent.extend(one.currency_ids for one in commands)
        await gate.wait()
        return await original(role, commands, **options)

    async with submits(rig, slow):
        waiting = [asking(rig, 1)]
        await until(lambda: sent)
        waiting.append(asking(rig, 1027))
        await asyncio.sleep(0.01)
        if is_stop:
            rig.api.refresher.stop()
        else:
            rig.api.river._take(Outage())
        gate.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        await until(lambda: rig.worker.visits)
        await asyncio.sleep(0.01)
    assert [type(one) for one in answers] == [QueueUnavailable, QueueUnavailable]
    assert sent == [(1,)]


@pytest.mark.parametrize("error", [QueueUnavailable("gone"), ValueError("a defect")])
async def test_a_submit_that_fails_fails_also_those_who_came_meanwhile(rig: Rig, error: Exception) -> None:
    gate = asyncio.Event()

    async def broken(*_args: Any, **_options: Any) -> Any:
        await gate.wait()
        raise error

    async with submits(rig, broken):
        waiting = [asking(rig, 1)]
        await asyncio.sleep(0.01)
        waiting.append(asking(rig, 1027))
        await asyncio.sleep(0.01)
        gate.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in answers] == [QueueUnavailable, QueueUnavailable]


async def test_a_submit_that_fails_fails_also_those_who_were_about_to_ask_again(rig: Rig) -> None:
    rig.worker.is_silent = True
    asked_before = asking(rig, 1)
    await until(lambda: rig.worker.commands)
    gate = asyncio.Event()
    tries: list[Sequence[RefreshRates]] = []

    async def broken(_original: Any, _role: Role, commands: Sequence[RefreshRates], **_options: Any) -> Any:
        tries.append(commands)
        await gate.wait()
        raise QueueUnavailable

    async with submits(rig, broken):
        waiting = [asked_before, asking(rig, 1027)]
        await until(lambda: tries)
        rig.api.refresher.ask_again()
        gate.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in answers] == [QueueUnavailable, QueueUnavailable]
    assert len(tries) == 1


async def test_a_queue_that_does_not_answer_is_503_within_2_seconds(rig: Rig) -> None:
    async def never(*_args: Any, **_options: Any) -> Any:
        await asyncio.Event().wait()

    began = time.monotonic()
    async with submits(rig, never):
        with pytest.raises(QueueUnavailable):
            await asking(rig)
    assert time.monotonic() - began < 2


async def test_without_a_worker_nothing_is_tried(rig: Rig) -> None:
    rig.clock.advance(seconds=60)
    with pytest.raises(WorkerGone):
        await asking(rig)
    assert (await rig.queue.depth(Role.PRICING)).accepted == 0

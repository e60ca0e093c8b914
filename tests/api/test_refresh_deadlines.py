"""Deadlines: nobody waits longer than promised. And what is counted."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from shared.domain.visit import FailureKind
from shared.errors import (
    DeadlineExceeded,
    QueueUnavailable,
    WorkerGone,
)
from shared.messages import RatesStored, RefreshFailed, Role
from shared.ports import Gap
from tests.api.conftest import StartRig
from tests.api.flights import asking, overdue, submits
from tests.api.rig import Rig, observed, recorded, until
from tests.waiting import BUSY

ASKED_AFTER = {1: 0.0, 1027: 0.02, 5: 0.04}
"""Seconds, by currency."""


async def test_no_waiter_waits_past_its_deadline(start: StartRig) -> None:
    rig = await start(refresh_timeout_seconds=1)
    rig.worker.is_silent = True
    began = time.monotonic()
    first = asking(rig)
    await asyncio.sleep(0.75)
    second = asking(rig)
    with pytest.raises(DeadlineExceeded):
        await first
    assert 0.98 < time.monotonic() - began < 1 + BUSY
    with pytest.raises(DeadlineExceeded):
        await second
    assert 1.73 < time.monotonic() - began < 1.75 + BUSY


async def test_whoever_joined_late_is_served_by_a_flight_of_its_own(start: StartRig) -> None:
    rig = await start(refresh_timeout_seconds=2)
    swallowed: list[Any] = []

    async def swallowed_once(original: Any, role: Role, commands: Any, **options: Any) -> Any:
        if swallowed:
            return await original(role, commands, **options)
        swallowed.extend(commands)
        return []

    async with submits(rig, swallowed_once):
        first = asking(rig)
        await asyncio.sleep(1.5)
        second = asking(rig)
        with pytest.raises(DeadlineExceeded):
            await first
        assert (await second).currency_id == 1


async def test_at_the_deadline_a_worker_that_died_meanwhile_is_named(start: StartRig) -> None:
    rig = await start(refresh_timeout_seconds=0.2)
    rig.worker.hold.clear()
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    rig.clock.advance(seconds=60)
    with pytest.raises(WorkerGone):
        await waiting
    rig.worker.hold.set()


async def test_a_depth_that_is_not_told_in_time_delays_nobody(
    start: StartRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await start(refresh_timeout_seconds=0.2)
    rig.worker.is_silent = True

    async def never(_role: Role) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(rig.queue, "depth", never)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await asking(rig)
    assert time.monotonic() - began < 0.2 + BUSY


async def no_answer(_role: Role) -> Any:
    await asyncio.Event().wait()


async def a_defect(_role: Role) -> Any:
    await asyncio.sleep(0.05)
    raise RuntimeError("a defect")


async def a_stubborn_one(_role: Role) -> Any:
    """Does not heed that it is cancelled."""
    ends = asyncio.get_running_loop().time() + 1
    while (left := ends - asyncio.get_running_loop().time()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(left)


@pytest.mark.parametrize("depth", [no_answer, a_defect, a_stubborn_one])
async def test_whatever_becomes_of_the_question_each_flight_ends_soon_after_its_own_deadline(
    start: StartRig, monkeypatch: pytest.MonkeyPatch, depth: Callable[[Role], Awaitable[Any]]
) -> None:
    rig = await start(refresh_timeout_seconds=0.3)
    rig.worker.is_silent = True
    monkeypatch.setattr(rig.queue, "depth", depth)
    ends = await asyncio.gather(*(overdue(rig, one, after=after) for one, after in ASKED_AFTER.items()))
    assert [error for error, _ in ends] == [DeadlineExceeded] * len(ASKED_AFTER)
    assert max(seconds for _, seconds in ends) < BUSY


async def test_those_that_are_late_together_ask_one_question(
    start: StartRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await start(refresh_timeout_seconds=0.3)
    rig.worker.is_silent = True
    asked: list[Role] = []

    async def gone(role: Role) -> Any:
        asked.append(role)
        await asyncio.sleep(0.1)
        raise QueueUnavailable

    monkeypatch.setattr(rig.queue, "depth", gone)
    ends = await asyncio.gather(*(overdue(rig, one, after=after) for one, after in ASKED_AFTER.items()))
    assert [error for error, _ in ends] == [QueueUnavailable] * len(ASKED_AFTER)
    assert asked == [Role.PRICING]


async def test_whoever_waits_is_let_go_even_if_its_flight_never_ends(start: StartRig) -> None:
    rig = await start(refresh_timeout_seconds=0.3)
    rig.worker.is_silent = True
    waiting = asyncio.create_task(overdue(rig, 1))
    await until(lambda: rig.worker.commands)
    for timer in rig.api.refresher._flights[1].timers:
        timer.cancel()
    error, seconds = await asyncio.wait_for(waiting, 2)
    assert error is DeadlineExceeded
    assert seconds < BUSY


async def test_stopping_ends_every_waiter(rig: Rig) -> None:
    rig.worker.is_silent = True
    waiting = asking(rig)
    await asyncio.sleep(0.01)
    rig.api.refresher.stop()
    with pytest.raises(QueueUnavailable, match="stopped"):
        await waiting
    rig.api.river._take(Gap())
    with pytest.raises(QueueUnavailable, match="stopped"):
        await asking(rig)


async def test_outcomes_are_counted(rig: Rig) -> None:
    await asking(rig)
    rig.worker.failure = FailureKind.VISITED
    await asyncio.gather(asking(rig), return_exceptions=True)
    text = await (await rig.client.get("/metrics")).text()
    assert 'freshrate_refresh_outcomes_total{outcome="fresh"} 1.0' in text
    assert 'freshrate_refresh_outcomes_total{outcome="source-failed"} 1.0' in text
    assert "freshrate_refresh_seconds_count 2.0" in text


async def test_outcomes_are_counted_for_each_currency_that_clients_ask_for_and_not_for_lists(
    rig: Rig,
) -> None:
    await rig.get("/api/quotes/?id=1,1027")
    rig.worker.cannot_price = {5}
    await rig.get("/api/quotes/?id=5,6")
    rig.worker.ranking_source = "cryptocompare"
    await rig.get("/api/top/")
    text = await (await rig.client.get("/metrics")).text()
    assert 'freshrate_refresh_outcomes_total{outcome="fresh"} 3.0' in text
    assert 'freshrate_refresh_outcomes_total{outcome="source-failed"} 1.0' in text
    assert "freshrate_refresh_seconds_count 4.0" in text


async def test_remembered_failures_are_bounded(rig: Rig) -> None:
    for number in range(1200):
        rig.api.refresher.fail(RefreshFailed(command_id=str(number), failures=()))
    assert len(rig.api.refresher._failures) == 1000


async def test_facts_about_currencies_that_nobody_waits_for_change_nothing(rig: Rig) -> None:
    (rate,) = await recorded(rig.storage, observed())
    rig.api.refresher.settle([rate])
    await rig.queue.announce([RatesStored(stored=(rate,))])
    await until(lambda: rig.api.memory.known(1))
    assert rig.worker.visits == []

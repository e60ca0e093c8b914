"""Single flight: many ask, one goes, and every waiter hears exactly one end."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.rate import Rate
from shared.domain.visit import Failure, FailureKind
from shared.errors import (
    NotTried,
    StorageUnavailable,
    UpstreamError,
)
from shared.messages import RefreshFailed, RefreshRates, Role
from tests.api.conftest import StartRig
from tests.api.flights import asking, submits
from tests.api.rig import START, Rig, observed, until


async def test_currencies_of_one_request_are_one_command(rig: Rig) -> None:
    outcomes = await rig.api.refresher.refresh([1, 1027, 1], request_id="r")
    assert {one: type(outcome) for one, outcome in outcomes.items()} == {1: Rate, 1027: Rate}
    assert [one.currency_ids for one in rig.worker.commands] == [(1, 1027)]


async def test_the_first_goes_at_once_and_those_that_come_during_the_submit_form_the_next(rig: Rig) -> None:
    sent: list[list[int]] = []
    gate = asyncio.Event()

    async def slow(original: Any, role: Role, commands: Sequence[RefreshRates], *, wait: timedelta) -> Any:
        sent.append([currency_id for one in commands for currency_id in one.currency_ids])
        await gate.wait()
        return await original(role, commands, wait=wait)

    async with submits(rig, slow):
        first = asking(rig, 1)
        await until(lambda: sent)
        others = [asking(rig, one) for one in (1027, 5, 6)]
        await asyncio.sleep(0.01)
        assert sent == [[1]]
        gate.set()
        await asyncio.gather(first, *others)
    assert sent == [[1], [1027, 5, 6]]


async def test_one_callers_cancellation_never_fails_others(rig: Rig) -> None:
    rig.worker.hold.clear()
    first, second = asking(rig), asking(rig)
    await until(lambda: rig.worker.visits)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    rig.worker.hold.set()
    assert (await second).currency_id == 1
    assert rig.worker.visits == [(1,)]


async def test_a_flight_that_nobody_waits_for_any_more_serves_who_comes_next(rig: Rig) -> None:
    rig.worker.hold.clear()
    first = asking(rig)
    await until(lambda: rig.worker.visits)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asking(rig)
    rig.worker.hold.set()
    assert (await second).currency_id == 1
    assert rig.worker.visits == [(1,)]


async def test_a_rate_fetched_before_the_request_does_not_end_it(rig: Rig) -> None:
    rig.worker.hold.clear()
    await rig.advance(seconds=10)
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    await rig.store(observed(price="7"), fetched_at=START)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    rig.worker.hold.set()
    assert str((await waiting).price_usd) == "101"


async def test_a_poll_that_fetched_since_ends_it(rig: Rig) -> None:
    rig.worker.hold.clear()
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    await rig.store(observed(price="7"))
    assert str((await waiting).price_usd) == "7"
    rig.worker.hold.set()


async def test_a_confirmed_rate_ends_it(rig: Rig) -> None:
    await rig.store(observed(price="7"))
    rig.worker.hold.clear()
    await rig.advance(seconds=20)
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    (rate,) = await rig.store(observed(price="7"))
    assert await waiting == rate
    assert rate.fetched_at == rig.clock()
    rig.worker.hold.set()


async def test_the_preferred_source_is_the_answer_where_two_arrive_together(rig: Rig) -> None:
    rig.worker.hold.clear()
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    await rig.store(observed(price="7", source="another"), observed(price="8"))
    assert (await waiting).source == "coinmarketcap"
    rig.worker.hold.set()


async def test_a_rate_within_the_minimal_interval_counts_as_fresh(start: StartRig) -> None:
    rig = await start(refresh_min_interval_seconds=30)
    await rig.store(observed(price="7"))
    await rig.advance(seconds=30)
    assert (await rig.get("/api/latestrate/1/"))["price_usd"] == "7"
    await rig.advance(seconds=1)
    assert (await rig.get("/api/latestrate/1/"))["price_usd"] == "101"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FailureKind.VISITED, UpstreamError),
        (FailureKind.NOT_TRIED, NotTried),
        (FailureKind.DATABASE_AWAY, StorageUnavailable),
    ],
)
async def test_the_failure_of_the_own_command_ends_it(
    rig: Rig, kind: FailureKind, error: type[Exception]
) -> None:
    rig.worker.failure = kind
    with pytest.raises(error, match=r"It went wrong\."):
        await asking(rig)


async def test_the_failure_of_another_command_does_not(rig: Rig) -> None:
    rig.worker.hold.clear()
    waiting = asking(rig)
    await until(lambda: rig.worker.visits)
    failure = Failure(currency_id=1, kind=FailureKind.VISITED, detail="not ours")
    await rig.queue.announce([RefreshFailed(command_id="another", failures=(failure,))])
    await asyncio.sleep(0.01)
    assert not waiting.done()
    rig.worker.hold.set()
    assert (await waiting).currency_id == 1

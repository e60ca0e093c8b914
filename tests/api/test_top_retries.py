"""How renewals that failed are tried again, and how long that is remembered."""

import asyncio
import time

import pytest

from api.top import retries
from api.top import top as top_module
from shared.domain.visit import FailureKind
from shared.errors import BudgetSpent, FreshrateError, QueueUnavailable, UpstreamBroken, WorkerGone
from tests.api.conftest import StartRig
from tests.api.rig import Rig, listed, looked, renewed, rested, start_two, until

PATH = "/api/top/"


@pytest.fixture
async def two(start: StartRig) -> Rig:
    return await start_two(start)


def pauses(failure: FreshrateError, failures: int, *, is_cold: bool = False) -> tuple[float, float]:
    """The shortest and the longest of many."""
    seen = [retries.pause(failure, failures, is_cold=is_cold) for _ in range(300)]
    assert len(set(seen)) > 200
    return min(seen), max(seen)


@pytest.mark.parametrize(("failures", "middle"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (2000, 60)])
def test_the_distance_doubles_with_each_failure_and_has_a_spread(failures: int, middle: float) -> None:
    shortest, longest = pauses(UpstreamBroken(), failures)
    assert 0.8 * middle <= shortest < 0.9 * middle
    assert 1.1 * middle < longest <= 1.2 * middle


@pytest.mark.parametrize(("retry_after", "least"), [(30, 30), (3600, 60)])
def test_nothing_is_tried_before_it_makes_sense(retry_after: float, least: float) -> None:
    shortest, longest = pauses(BudgetSpent(retry_after=retry_after), 1)
    assert least <= shortest < longest <= 1.2 * least


def test_without_any_list_it_is_tried_every_second() -> None:
    shortest, longest = pauses(UpstreamBroken(), 9, is_cold=True)
    assert 0.8 <= shortest < longest <= 1.2


@pytest.mark.parametrize("failure", [WorkerGone(retry_after=1), QueueUnavailable(retry_after=1)])
def test_where_nothing_was_asked_of_a_source_the_return_is_noticed_soon(failure: FreshrateError) -> None:
    shortest, longest = pauses(failure, 9)
    assert 0.8 <= shortest < longest <= 1.2


async def failing(rig: Rig) -> int:
    """A list in demand whose renewal failed once; gives how many rankings were asked for."""
    await listed(rig)
    rig.worker.ranking_failure = FailureKind.VISITED
    await rig.advance(seconds=61)
    assert (await rig.get(PATH))["stale"] is True
    await rested(rig)
    return len(rig.worker.rankings)


async def test_each_failure_in_a_row_doubles_the_distance_and_a_success_ends_that(two: Rig) -> None:
    count = await failing(two)
    for most in (6, 12, 24):
        await two.get(PATH)
        await two.advance(seconds=most / 2 - 0.1)
        assert await looked(two) == count
        await two.advance(seconds=most / 2 + 0.1)
        count += 1
        await renewed(two, count)
    demand = two.api.top.renewals._demands[200]
    assert demand.failures == 4
    two.worker.ranking_failure = None
    await two.get(PATH)
    await two.advance(seconds=48)
    await renewed(two, count + 1)
    assert (demand.failures, demand.failure) == (0, None)


async def test_the_success_of_another_process_ends_it_too(two: Rig) -> None:
    count = await failing(two)
    demand = two.api.top.renewals._demands[200]
    await two.queue.announce(await two.worker.ranking(["another"]))
    await until(lambda: two.api.top.current.observed_at == two.clock())
    assert await looked(two) == count
    assert (demand.failures, demand.failure, demand.rests_until) == (0, None, 0.0)
    assert (await two.get(PATH))["stale"] is False


async def test_only_the_first_client_of_an_outage_waits_however_rarely_anybody_asks(two: Rig) -> None:
    await listed(two)
    await two.advance(seconds=61)
    two.worker.ranking_hold.clear()
    two.worker.hold.clear()
    two.api.refresher.patience = two.api.top.rankings.patience = 0.1
    assert (await two.get(PATH))["stale"] is True
    await rested(two)
    await two.advance(seconds=200)
    await until(lambda: two.api.top.renewals._pulse is None)
    two.api.refresher.patience = two.api.top.rankings.patience = 60
    assert (await asyncio.wait_for(two.get(PATH), 5))["stale"] is True
    assert two.api.top.renewals._demands[200].flight is not None
    two.worker.ranking_hold.set()
    two.worker.hold.set()


async def test_waiting_for_the_store_at_the_start_is_part_of_the_time_that_a_refresh_may_take(
    start: StartRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two seconds would pass before anything is asked for, and then the whole time of a refresh."""
    monkeypatch.setattr(top_module, "LAST_WORDS_SECONDS", 0.0)
    rig = await start_two(start, refresh_timeout_seconds=1.0)
    rig.api.top.is_listed.clear()
    rig.worker.ranking_hold.clear()
    rig.worker.hold.clear()
    began = time.monotonic()
    await rig.get(PATH, status=504)
    assert time.monotonic() - began < 2
    rig.worker.ranking_hold.set()
    rig.worker.hold.set()

"""A list that cannot be renewed: nobody waits for it in vain, and it says that it is stale."""

import asyncio
import time
from typing import Any

import pytest

from api import app as app_module
from api.top import retries
from shared.domain.visit import Failure, FailureKind
from shared.messages import RefreshFailed, Role
from shared.ports import Gap, Outage
from tests.api.conftest import StartRig
from tests.api.rig import Rig, listed, looked, renewed, rested, start_two, until
from tests.waiting import BUSY

PATH = "/api/top/"


@pytest.fixture
async def two(start: StartRig) -> Rig:
    return await start_two(start)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FailureKind.VISITED, 502),
        (FailureKind.NOT_TRIED, 503),
        (FailureKind.DATABASE_AWAY, 503),
        (FailureKind.DEADLINE, 504),
    ],
)
async def test_without_any_list_a_failure_is_a_problem(
    start: StartRig, kind: FailureKind, status: int
) -> None:
    rig = await start_two(start, refresh_timeout_seconds=0.3)
    rig.worker.ranking_failure = kind
    body = await rig.get(PATH, status=status)
    assert body["detail"]
    assert (await rig.headers("/"))[0] == status
    rig.worker.ranking_failure = None
    await rig.advance(seconds=1.2 * retries.COLD)
    await until(lambda: rig.api.top.current.observed_at)
    assert len((await rig.get(PATH))["results"]) == 4


async def test_after_a_renewal_that_took_longer_than_the_ttl_and_failed_the_next_client_waits_no_more(
    two: Rig,
) -> None:
    await listed(two)
    await two.advance(seconds=61)
    two.worker.ranking_failure = FailureKind.VISITED
    two.worker.ranking_hold.clear()
    asking = asyncio.create_task(two.get(PATH))
    await until(lambda: len(two.worker.rankings) == 2)
    await two.advance(seconds=70)
    two.worker.ranking_hold.set()
    assert (await asking)["stale"] is True
    two.api.top.renewals.look()
    two.worker.ranking_hold.clear()
    assert (await two.get(PATH))["stale"] is True
    two.worker.ranking_hold.set()


async def test_without_a_catalog_nothing_is_tried(start: StartRig) -> None:
    rig = await start(has_catalog=False)
    body = await rig.get(PATH, status=503)
    assert body["type"] == "/problems/catalog-not-loaded"
    assert rig.worker.rankings == []


async def test_a_renewal_that_fails_leaves_the_last_list_stale_and_is_tried_again_in_the_background(
    two: Rig,
) -> None:
    await listed(two)
    await two.advance(seconds=61)
    two.worker.ranking_failure = FailureKind.VISITED
    body = await two.get(PATH)
    assert body["stale"] is True
    assert [row["rank"] for row in body["results"]] == [1, 2, 3, 4]
    _, headers = await two.headers("/?limit=2")
    assert headers["Freshrate-Stale"] == "true"
    assert headers["Age"] == "61"
    two.worker.ranking_hold.clear()
    await two.advance(seconds=1.2 * retries.SHORTEST)
    await until(lambda: len(two.worker.rankings) == 3)
    assert (await asyncio.wait_for(two.get(PATH), 1))["stale"] is True
    two.worker.ranking_failure = None
    two.worker.ranking_hold.set()
    await renewed(two, 3)
    body = await two.get(PATH)
    assert body["stale"] is False
    assert body["datetime"] == "2026-11-20T12:01:07.250Z"


async def test_a_renewal_that_fails_ahead_of_time_is_not_tried_again_at_once(two: Rig) -> None:
    await listed(two)
    two.worker.ranking_failure = FailureKind.VISITED
    await two.advance(seconds=50)
    await renewed(two, 2)
    body = await two.get(PATH)
    assert body["stale"] is False
    await two.advance(seconds=3.9)
    assert await looked(two) == 2
    await two.advance(seconds=2.1)
    await renewed(two, 3)
    two.worker.ranking_hold.clear()
    await two.advance(seconds=6)
    assert (await asyncio.wait_for(two.get(PATH), 1))["stale"] is True
    two.worker.ranking_hold.set()


async def test_a_ranking_that_stays_too_short_is_not_asked_for_all_the_time(
    two: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = two.storage.record_ranking

    async def not_whole(*args: Any, **options: Any) -> Any:
        return await original(*args, **{**options, "is_whole": False})

    monkeypatch.setattr(two.storage, "record_ranking", not_whole)
    for _ in range(3):
        body = await two.get(PATH)
        assert (len(body["results"]), body["stale"]) == (4, False)
    assert await looked(two) == 1


async def test_prices_that_all_fail_make_the_list_stale_though_the_ranking_is_new(two: Rig) -> None:
    await listed(two)
    await two.advance(seconds=61)
    two.worker.failure = FailureKind.VISITED
    body = await two.get(PATH)
    assert body["stale"] is True
    assert body["datetime"] == "2026-11-20T12:01:01.250Z"
    two.worker.failure = None
    await two.advance(seconds=1.2 * retries.SHORTEST)
    await until(lambda: two.api.memory.fetched_since(1, two.clock()))
    await rested(two)
    assert (await two.get(PATH))["stale"] is False
    assert len(two.worker.rankings) == 2


async def test_a_price_that_the_source_does_not_have_any_more_does_not_make_the_list_due(two: Rig) -> None:
    await listed(two)
    await two.advance(seconds=61)
    two.worker.cannot_price.add(5)
    body = await two.get(PATH)
    assert body["stale"] is False
    assert body["results"][2]["actual_date"] == "2026-11-20T12:00:00.250Z"
    _, headers = await two.headers(PATH)
    assert headers["Age"] == "61"
    assert len(two.worker.rankings) == 2


async def test_the_fact_of_another_process_says_that_a_price_was_asked_for(two: Rig) -> None:
    await listed(two)
    await two.advance(seconds=30)
    due = two.api.top.current.due_at(1, two.clock().timestamp())
    failure = Failure(currency_id=5, kind=FailureKind.VISITED, detail="gone", is_answered=True)
    await two.queue.announce([RefreshFailed(command_id="another", failures=(failure,))])
    await until(lambda: two.api.top.current._checks._visited[5] == two.clock().timestamp())
    assert two.api.top.current.due_at(4, two.clock().timestamp()) == due


async def test_with_one_worker_gone_the_other_ones_part_is_renewed(two: Rig) -> None:
    await listed(two)
    two.clock.advance(seconds=61)
    await two.queue.heartbeat(Role.PRICING, "worker")
    body = await two.get(PATH)
    assert body["stale"] is True
    assert {row["actual_date"] for row in body["results"]} == {"2026-11-20T12:01:01.250Z"}
    assert len(two.worker.rankings) == 1


async def test_with_the_queue_away_the_last_list_is_served_at_once(two: Rig) -> None:
    await listed(two)
    await two.advance(seconds=61)
    two.api.river._take(Outage())
    began = time.monotonic()
    assert (await two.get(PATH))["stale"] is True
    assert time.monotonic() - began < 1
    two.api.river._take(Gap())
    await two.advance(seconds=2)
    await renewed(two, 2)
    assert (await two.get(PATH))["stale"] is False


async def test_nobody_waits_longer_than_the_refresh_timeout(start: StartRig) -> None:
    rig = await start_two(start, refresh_timeout_seconds=0.3)
    await listed(rig)
    await rig.advance(seconds=61)
    rig.worker.ranking_hold.clear()
    rig.worker.hold.clear()
    began = time.monotonic()
    assert (await rig.get(PATH))["stale"] is True
    assert 0.2 < time.monotonic() - began < 0.3 + 0.25 + BUSY
    rig.worker.ranking_hold.set()
    rig.worker.hold.set()


async def test_a_client_that_leaves_ends_nothing(two: Rig) -> None:
    two.worker.ranking_hold.clear()
    first = asyncio.create_task(two.get(PATH))
    second = asyncio.create_task(two.get(PATH))
    await until(lambda: two.worker.rankings)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    two.worker.ranking_hold.set()
    assert len((await second)["results"]) == 4
    assert len(two.worker.rankings) == 1


async def test_a_defect_in_a_renewal_leaves_nobody_waiting(two: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_args: object, **_options: object) -> None:
        raise ValueError("a defect")

    await listed(two)
    await two.advance(seconds=61)
    with monkeypatch.context() as patch:
        patch.setattr(two.api.top.rankings, "refresh", broken)
        assert (await asyncio.wait_for(two.get(PATH), 2))["stale"] is True
    await two.advance(seconds=1.2 * retries.SHORTEST)
    await renewed(two, 2)
    assert (await two.get(PATH))["stale"] is False


async def test_a_stopping_process_lets_nobody_wait(start: StartRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "LAST_WAIT", 0.0)
    rig = await start_two(start)
    rig.worker.ranking_hold.clear()
    asking = asyncio.create_task(rig.get(PATH, status=503))
    await until(lambda: rig.worker.rankings)
    runner = rig.client.server.runner
    assert runner is not None
    await runner.app.shutdown()  # type: ignore[attr-defined] # the rig's runner has an application
    assert "stopped" in (await asyncio.wait_for(asking, 2))["detail"]
    rig.worker.ranking_hold.set()

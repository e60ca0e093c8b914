"""The list of now is renewed from the sources: once however many ask, ahead of its age, and never waited for too long."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from api import app as app_module
from api.top import renewals
from shared.domain.visit import Failure, FailureKind
from shared.errors import StorageUnavailable
from shared.messages import RankingStored, RefreshFailed, RefreshRanking, RefreshRates, Role
from shared.ports import Delivery, Gap, Outage
from tests.api.conftest import StartRig
from tests.api.rig import START, Rig, observed, until

PATH = "/api/top/"
StartTwo = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def start_two(start: StartRig) -> StartTwo:
    """Starts a rig whose ranking and prices come from different sources."""

    async def go(**changes: object) -> Rig:
        rig = await start(sources=("coinmarketcap", "cryptocompare"), cryptocompare_api_key="k", **changes)
        rig.worker.ranking_source = "cryptocompare"
        return rig

    return go


@pytest.fixture
async def two(start_two: StartTwo) -> Rig:
    return await start_two()


async def renewed(rig: Rig, count: int) -> None:
    """Until so many rankings were asked for, and the last has arrived."""
    await until(lambda: len(rig.worker.rankings) == count)
    await until(lambda: all(one.flight is None for one in rig.api.top.renewals._demands.values()))


async def test_a_hundred_callers_at_once_cost_one_ranking_and_one_refresh(two: Rig) -> None:
    two.worker.ranked = [1027, 1, 5]
    paths = [f"{PATH}?limit={limit}" for limit in range(1, 51)] + [
        f"/?limit={limit}" for limit in range(1, 51)
    ]
    statuses = await asyncio.gather(*(two.headers(path) for path in paths))
    assert {status for status, _ in statuses} == {200}
    assert [one.length for one in two.worker.rankings] == [200]
    assert [one.currency_ids for one in two.worker.commands] == [(1, 1027, 5)]
    assert (await two.get(PATH))["sources"] == {"ranking": "cryptocompare", "prices": ["coinmarketcap"]}


async def test_the_two_workers_are_asked_side_by_side(two: Rig) -> None:
    two.worker.hold.clear()
    two.worker.ranking_hold.clear()
    asking = asyncio.create_task(two.get(PATH))
    await until(lambda: two.worker.rankings and two.worker.commands)
    assert not asking.done()
    two.worker.ranking_hold.set()
    two.worker.hold.set()
    assert len((await asking)["results"]) == 4


async def test_where_one_source_serves_both_one_visit_is_asked_for(rig: Rig) -> None:
    body = await rig.get(PATH)
    assert [row["price_usd"] for row in body["results"]] == ["101"] * 4
    assert len(rig.worker.rankings) == 1
    assert rig.worker.commands == []


async def test_prices_that_only_the_new_ranking_shows_to_be_missing_are_asked_for(two: Rig) -> None:
    """6 has no rank, so a cold list does not ask for it beside the ranking."""
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    assert [one.currency_ids for one in two.worker.commands] == [(1, 1027, 5), (6,)]
    assert (await two.get(PATH))["results"][3]["price_usd"] is not None


async def test_nobody_waits_for_the_price_of_one_that_is_new_in_the_ranking(
    two: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One source would be waited for after the other."""
    two.worker.ranked = [1, 1027, 5]
    await two.store(observed(6, "6.5", observed_at=two.clock()))
    await two.get(PATH)
    two.worker.ranked = [6, 1, 1027, 5]
    await two.advance(seconds=61)
    may_go_on, work = asyncio.Event(), two.worker.work

    async def slow_for_newcomers(deliveries: Sequence[Delivery]) -> None:
        if any(isinstance(one.command, RefreshRates) and 6 in one.command.currency_ids for one in deliveries):
            await may_go_on.wait()
        await work(deliveries)

    monkeypatch.setattr(two.worker, "work", slow_for_newcomers)
    rows = (await two.get(PATH))["results"]
    assert [(row["currency"], row["price_usd"]) for row in rows[:2]] == [(6, "6.5"), (1, "102")]
    may_go_on.set()
    await until(lambda: two.worker.commands[-1].currency_ids == (6,))


async def test_what_another_source_states_with_its_ranking_renews_no_price_of_the_preferred_one(
    two: Rig,
) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    asked = len(two.worker.commands)
    await two.advance(seconds=40)
    other = [observed(one, "7", source="cryptocompare", observed_at=two.clock()) for one in (1, 1027, 5, 6)]
    await two.store(*other)
    await two.queue.announce(await two.worker.ranking())
    await until(lambda: two.api.top.current.observed_at == two.clock())
    await two.advance(seconds=25)
    assert (await two.get(PATH))["sources"]["prices"] == ["coinmarketcap"]
    assert len(two.worker.commands) == asked + 1
    assert len(two.worker.rankings) == 1


async def test_what_another_source_answers_in_place_of_the_preferred_one_renews_the_list(two: Rig) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    asked = len(two.worker.commands)
    await two.advance(seconds=55)
    other = [observed(one, "7", source="cryptocompare", observed_at=two.clock()) for one in (1, 1027, 5, 6)]
    await two.store(*other, command_ids=["of-another-process"])
    await two.queue.announce(await two.worker.ranking())
    await until(lambda: two.api.top.current.observed_at == two.clock())
    await two.advance(seconds=25)
    assert (await two.get(PATH))["sources"]["prices"] == ["cryptocompare"]
    assert len(two.worker.commands) == asked


async def test_a_list_within_the_ttl_costs_nothing(two: Rig) -> None:
    await two.get(PATH)
    await two.advance(seconds=40)
    for limit in (1, 4, 200):
        await two.get(f"{PATH}?limit={limit}")
    assert len(two.worker.rankings) == 1


async def test_a_list_that_is_due_is_renewed_while_the_client_waits(two: Rig) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    await two.advance(seconds=61)
    body = await two.get(PATH)
    assert body["datetime"] == "2026-11-20T12:01:01.250Z"
    assert body["stale"] is False
    assert len(two.worker.rankings) == 2


async def test_a_list_in_demand_is_renewed_ahead_of_its_age_without_a_waiting_client(two: Rig) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    await two.advance(seconds=30)
    two.api.top.renewals.look()
    assert len(two.worker.rankings) == 1
    await two.advance(seconds=20)
    await renewed(two, 2)
    two.worker.ranking_hold.clear()
    assert (await two.get(PATH))["datetime"] == "2026-11-20T12:00:50.250Z"
    two.worker.ranking_hold.set()


async def test_a_list_that_nobody_wants_any_more_is_left_alone(two: Rig) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    await two.advance(seconds=61)
    await until(lambda: two.api.top.renewals._pulse is None)
    assert len(two.worker.rankings) == 1


async def test_longer_lists_are_a_class_of_their_own(two: Rig) -> None:
    await asyncio.gather(*(two.get(f"{PATH}?limit={limit}") for limit in (1, 200, 201, 5000)))
    assert sorted(one.length for one in two.worker.rankings) == [200, 400, 5000]


async def test_a_ranking_that_is_too_short_for_a_list_makes_it_due(two: Rig) -> None:
    ranking = await two.storage.record_ranking(
        "cryptocompare", [1, 1027], is_whole=False, observed_at=START, stored_at=START
    )
    await two.store(observed(), observed(1027))
    await two.queue.announce([RankingStored(ranking=ranking)])
    await until(lambda: two.api.top.current.observed_at)
    assert len((await two.get(f"{PATH}?limit=2"))["results"]) == 2
    assert two.worker.rankings == []
    assert len((await two.get(f"{PATH}?limit=4"))["results"]) == 4
    assert [one.length for one in two.worker.rankings] == [200]


async def test_a_shorter_ranking_does_not_take_the_place_of_a_longer_one_that_is_not_due(two: Rig) -> None:
    await two.get(f"{PATH}?limit=4")
    await until(lambda: two.api.memory.known(6))
    await two.advance(seconds=1)
    ranking = await two.storage.record_ranking(
        "cryptocompare", [1027, 1], is_whole=False, observed_at=two.clock(), stored_at=two.clock()
    )
    await two.queue.announce([RankingStored(ranking=ranking)])
    await until(lambda: two.api.top.current.observed_at == two.clock())
    two.worker.ranking_hold.clear()
    assert [row["currency"] for row in (await two.get(f"{PATH}?limit=4"))["results"]] == [1, 1027, 5, 6]
    assert [row["currency"] for row in (await two.get(f"{PATH}?limit=2"))["results"]] == [1027, 1]
    assert len(two.worker.rankings) == 1
    two.worker.ranking_hold.set()


# Failures


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
    start_two: StartTwo, kind: FailureKind, status: int
) -> None:
    rig = await start_two(refresh_timeout_seconds=0.3)
    rig.worker.ranking_failure = kind
    body = await rig.get(PATH, status=status)
    assert body["detail"]
    assert (await rig.headers("/"))[0] == status
    rig.worker.ranking_failure = None
    rig.clock.advance(seconds=1)
    await rig.advance(seconds=0)
    await until(lambda: rig.api.top.current.observed_at)
    assert len((await rig.get(PATH))["results"]) == 4


async def test_after_a_renewal_that_took_longer_than_the_ttl_and_failed_the_next_client_waits_no_more(
    two: Rig,
) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
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
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    await two.advance(seconds=61)
    two.worker.ranking_failure = FailureKind.VISITED
    body = await two.get(PATH)
    assert body["stale"] is True
    assert [row["rank"] for row in body["results"]] == [1, 2, 3, 4]
    _, headers = await two.headers("/?limit=2")
    assert headers["Freshrate-Stale"] == "true"
    assert headers["Age"] == "61"
    two.worker.ranking_hold.clear()
    await two.advance(seconds=5)
    await until(lambda: len(two.worker.rankings) == 3)
    assert (await asyncio.wait_for(two.get(PATH), 1))["stale"] is True
    two.worker.ranking_failure = None
    two.worker.ranking_hold.set()
    await renewed(two, 3)
    body = await two.get(PATH)
    assert body["stale"] is False
    assert body["datetime"] == "2026-11-20T12:01:06.250Z"


async def test_a_renewal_that_fails_ahead_of_time_is_not_tried_again_at_once(two: Rig) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    two.worker.ranking_failure = FailureKind.VISITED
    await two.advance(seconds=50)
    await renewed(two, 2)
    body = await two.get(PATH)
    assert body["stale"] is False
    await two.advance(seconds=4)
    two.api.top.renewals.look()
    await asyncio.sleep(0.01)
    assert len(two.worker.rankings) == 2
    await two.advance(seconds=1)
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
    two.api.top.renewals.look()
    await asyncio.sleep(0.01)
    assert len(two.worker.rankings) == 1


async def test_prices_that_all_fail_make_the_list_stale_though_the_ranking_is_new(two: Rig) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    await two.advance(seconds=61)
    two.worker.failure = FailureKind.VISITED
    body = await two.get(PATH)
    assert body["stale"] is True
    assert body["datetime"] == "2026-11-20T12:01:01.250Z"
    two.worker.failure = None
    await two.advance(seconds=5)
    await until(lambda: two.api.memory.fetched_since(1, two.clock()))
    await renewed(two, 3 if len(two.worker.rankings) == 3 else 2)
    assert (await two.get(PATH))["stale"] is False


async def test_a_price_that_the_source_does_not_have_any_more_does_not_make_the_list_due(two: Rig) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    await two.advance(seconds=61)
    two.worker.cannot_price.add(5)
    body = await two.get(PATH)
    assert body["stale"] is False
    assert body["results"][2]["actual_date"] == "2026-11-20T12:00:00.250Z"
    _, headers = await two.headers(PATH)
    assert headers["Age"] == "61"
    assert len(two.worker.rankings) == 2


async def test_the_fact_of_another_process_says_that_a_price_was_asked_for(two: Rig) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    await two.advance(seconds=30)
    due = two.api.top.current.due_at(1, two.clock().timestamp())
    failure = Failure(currency_id=5, kind=FailureKind.VISITED, detail="gone")
    await two.queue.announce([RefreshFailed(command_id="another", failures=(failure,))])
    await until(lambda: two.api.top.current._lines.of(5, 0).visited == two.clock().timestamp())
    assert two.api.top.current.due_at(4, two.clock().timestamp()) == due


async def test_with_one_worker_gone_the_other_ones_part_is_renewed(two: Rig) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    two.clock.advance(seconds=61)
    await two.queue.heartbeat(Role.PRICING, "worker")
    body = await two.get(PATH)
    assert body["stale"] is True
    assert {row["actual_date"] for row in body["results"]} == {"2026-11-20T12:01:01.250Z"}
    assert len(two.worker.rankings) == 1


async def test_with_the_queue_away_the_last_list_is_served_at_once(two: Rig) -> None:
    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    await two.advance(seconds=61)
    two.api.river._take(Outage())
    began = time.monotonic()
    assert (await two.get(PATH))["stale"] is True
    assert time.monotonic() - began < 1
    two.api.river._take(Gap())
    await two.advance(seconds=2)
    await renewed(two, 2)
    assert (await two.get(PATH))["stale"] is False


async def test_nobody_waits_longer_than_the_refresh_timeout(start_two: StartTwo) -> None:
    rig = await start_two(refresh_timeout_seconds=0.3)
    await rig.get(PATH)
    await until(lambda: rig.api.memory.known(6))
    await rig.advance(seconds=61)
    rig.worker.ranking_hold.clear()
    rig.worker.hold.clear()
    began = time.monotonic()
    assert (await rig.get(PATH))["stale"] is True
    assert 0.2 < time.monotonic() - began < 0.3 + 0.25 + 0.25
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

    await two.get(PATH)
    await until(lambda: two.api.memory.known(6))
    await two.advance(seconds=61)
    with monkeypatch.context() as patch:
        patch.setattr(two.api.top.rankings, "refresh", broken)
        assert (await asyncio.wait_for(two.get(PATH), 2))["stale"] is True
    await two.advance(seconds=renewals.RETRY_SECONDS)
    await renewed(two, 2)
    assert (await two.get(PATH))["stale"] is False


async def test_a_stopping_process_lets_nobody_wait(
    start_two: StartTwo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "LAST_WAIT", 0.0)
    rig = await start_two()
    rig.worker.ranking_hold.clear()
    asking = asyncio.create_task(rig.get(PATH, status=503))
    await until(lambda: rig.worker.rankings)
    runner = rig.client.server.runner
    assert runner is not None
    await runner.app.shutdown()  # type: ignore[attr-defined] # the rig's runner has an application
    assert "stopped" in (await asyncio.wait_for(asking, 2))["detail"]
    rig.worker.ranking_hold.set()


# Several processes


async def command_of_another(rig: Rig, length: int = 200) -> RefreshRanking:
    """Of another process; the worker is at it until `ranking_hold` is set."""
    rig.worker.ranking_hold.clear()
    other = RefreshRanking(id="other", length=length, created_at=rig.clock(), request_id="other")
    await rig.queue.submit(Role.RANKING, [other], wait=timedelta(seconds=10))
    await until(lambda: rig.worker.rankings)
    return other


async def test_who_loses_the_claim_is_answered_by_the_holders_visit(two: Rig) -> None:
    await command_of_another(two)
    asking = asyncio.create_task(two.get(PATH))
    await until(lambda: two.worker.commands)
    await asyncio.sleep(0.01)
    two.worker.ranking_hold.set()
    assert len((await asking)["results"]) == 4
    assert [one.id for one in two.worker.rankings] == ["other"]


async def test_the_holders_failure_is_ours(two: Rig) -> None:
    two.worker.ranking_failure = FailureKind.VISITED
    await command_of_another(two)
    asking = asyncio.create_task(two.get(PATH, status=502))
    await until(lambda: two.worker.commands)
    await asyncio.sleep(0.01)
    two.worker.ranking_hold.set()
    assert "No ranking." in (await asking)["detail"]


async def test_two_processes_renew_the_list_once(start_two: StartTwo) -> None:
    first, second = await start_two(), await start_two()
    await asyncio.gather(first.get(PATH), second.get(PATH))
    # Both rigs' workers go by one name, so both may see the one command.
    assert len({one.id for one in (*first.worker.rankings, *second.worker.rankings)}) == 1


async def test_a_ranking_that_only_the_store_tells_of_ends_the_waiting(two: Rig) -> None:
    two.worker.ranking_hold.clear()
    asking = asyncio.create_task(two.get(PATH))
    await until(lambda: two.worker.rankings)
    await two.storage.record_ranking(
        "cryptocompare", [1027, 1], is_whole=True, observed_at=two.clock(), stored_at=two.clock()
    )
    two.api.river._take(Gap())
    assert [row["currency"] for row in (await asyncio.wait_for(asking, 3))["results"]] == [1027, 1]
    two.worker.ranking_hold.set()


async def test_after_a_gap_who_still_waits_for_a_ranking_asks_again(two: Rig) -> None:
    original = two.queue.submit
    swallowed: list[object] = []

    async def submit(role: Role, commands: object, *, wait: timedelta) -> object:
        if role is Role.RANKING and not swallowed:
            swallowed.append(commands)
            return []
        return await original(role, commands, wait=wait)  # type: ignore[arg-type] # what the caller gave

    two.queue.submit = submit  # type: ignore[method-assign,assignment]
    asking = asyncio.create_task(two.get(PATH))
    await until(lambda: swallowed)
    two.api.river._take(Gap())
    assert len((await asyncio.wait_for(asking, 3))["results"]) == 4


async def test_a_store_that_is_down_stops_no_list(two: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await two.get(PATH)

    async def down(*_args: object, **_options: object) -> None:
        raise StorageUnavailable

    for name in ("last_ranking", "last_rates", "catalog", "ranking_as_of"):
        monkeypatch.setattr(two.storage, name, down)
    two.api.river._take(Gap())
    assert len((await two.get(PATH))["results"]) == 4
    assert (await two.headers(f"{PATH}?datetime=0"))[0] == 503

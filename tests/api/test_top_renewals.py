"""The list of now is renewed from the sources: once however many ask, and ahead of its age."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.messages import RankingStored, RefreshRates
from shared.ports import Delivery
from tests.api.conftest import StartRig
from tests.api.rig import START, Rig, listed, observed, renewed, start_two, until

PATH = "/api/top/"


@pytest.fixture
async def two(start: StartRig) -> Rig:
    return await start_two(start)


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
    await listed(two)
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
    await listed(two)
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
    await listed(two)
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
    await listed(two)
    await two.advance(seconds=61)
    body = await two.get(PATH)
    assert body["datetime"] == "2026-11-20T12:01:01.250Z"
    assert body["stale"] is False
    assert len(two.worker.rankings) == 2


async def test_a_list_in_demand_is_renewed_ahead_of_its_age_without_a_waiting_client(two: Rig) -> None:
    await listed(two)
    await two.advance(seconds=30)
    two.api.top.renewals.look()
    assert len(two.worker.rankings) == 1
    await two.advance(seconds=20)
    await renewed(two, 2)
    two.worker.ranking_hold.clear()
    assert (await two.get(PATH))["datetime"] == "2026-11-20T12:00:50.250Z"
    two.worker.ranking_hold.set()


async def test_a_list_that_nobody_wants_any_more_is_left_alone(two: Rig) -> None:
    await listed(two)
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

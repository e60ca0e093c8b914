"""When a list of now is due, and what it says while it is: checks of single prices, and what is served in between."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest

from api.top.building import ListBuilder
from api.top.formats import Format
from shared.domain.visit import Failure, FailureKind
from shared.messages import Fact, RankingStored, RefreshFailed, RefreshRates
from shared.ports import Delivery
from shared.visitor import VisitReport, facts_of
from tests.api.conftest import StartRig
from tests.api.rig import START, Rig, listed, looked, observed, renewed, rested, start_two, until

PATH = "/api/top/"


@pytest.fixture
async def two(start: StartRig) -> Rig:
    return await start_two(start)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Each list that was put together."""
    seen: list[object] = []
    original = ListBuilder.finish

    def finish(self: ListBuilder, *, stale_after: float, aged_at: float) -> object:
        seen.append(self)
        return original(self, stale_after=stale_after, aged_at=aged_at)

    monkeypatch.setattr(ListBuilder, "finish", finish)
    return seen


def due_in(rig: Rig, limit: int) -> float:
    now = rig.clock().timestamp()
    return rig.api.top.current.due_at(limit, now) - now


# The interval that spares credits where single rates are refreshed


async def test_a_list_is_renewed_ahead_of_its_age_whatever_is_fresh_enough_for_a_refresh(
    start: StartRig,
) -> None:
    rig = await start_two(start, refresh_min_interval_seconds=60)
    await listed(rig)
    for count in (2, 3):
        await rig.advance(seconds=50)
        await renewed(rig, count)
        await rig.get(PATH)
        assert due_in(rig, 4) == 60
        assert len(rig.worker.commands) == count + 1


async def test_a_list_that_is_due_is_renewed_though_its_rates_are_fresh_enough_for_a_refresh(
    start: StartRig,
) -> None:
    rig = await start_two(start, refresh_min_interval_seconds=3600)
    await listed(rig)
    await rig.advance(seconds=61)
    assert (await rig.get(PATH))["stale"] is False
    _, headers = await rig.headers(PATH)
    assert headers["Age"] == "0"


# Prices that cannot be had


async def test_a_list_most_of_which_has_no_price_any_more_costs_no_more_visits(two: Rig) -> None:
    await listed(two)
    two.worker.cannot_price |= {1027, 5, 6}
    before = len(two.worker.commands)
    for count in (2, 3, 4):
        await two.advance(seconds=50)
        await renewed(two, count)
        await two.get(PATH)
        assert due_in(two, 4) == 60
    assert len(two.worker.commands) == before + 3
    status, headers = await two.headers(PATH)
    assert (status, headers["Age"]) == (200, "150")
    assert "Freshrate-Stale" not in headers


async def test_a_failure_of_the_source_leaves_a_row_due(two: Rig) -> None:
    await listed(two)
    await two.advance(seconds=30)
    failures = (
        Failure(currency_id=5, kind=FailureKind.VISITED, detail="broken"),
        Failure(currency_id=1, kind=FailureKind.VISITED, detail="gone", is_answered=True),
    )
    two.api.river._learn(RefreshFailed(command_id="another", failures=failures))
    await two.queue.announce(await two.worker.ranking())
    await until(lambda: two.api.top.current.observed_at == two.clock())
    assert due_in(two, 1) == 60
    assert due_in(two, 4) == 30


# What is announced before a list knows of it


async def test_what_another_source_answered_before_the_first_ranking_counts(
    two: Rig, monkeypatch: pytest.MonkeyPatch, built: list[object]
) -> None:
    async def visit(currency_ids: Iterable[int], command_ids: Sequence[str]) -> list[Fact]:
        now = two.clock()
        answers = await two.storage.record_rates(
            [observed(one, source="cryptocompare", observed_at=now) for one in sorted(currency_ids)],
            fetched_at=now,
            stored_at=now,
        )
        return [*facts_of(VisitReport(tuple(answers), ()), command_ids)]

    monkeypatch.setattr(two.worker, "visit", visit)
    two.worker.ranked = [1, 1027, 5]
    two.worker.ranking_hold.clear()
    asking = asyncio.create_task(two.get(PATH))
    await until(lambda: two.api.memory.known(5))
    two.worker.ranking_hold.set()
    body = await asking
    assert (body["stale"], body["sources"]["prices"]) == (False, ["cryptocompare"])
    assert due_in(two, 100) == 60
    for _ in range(5):
        assert await two.get(PATH) == body
    assert len(built) == 1
    assert [one.currency_ids for one in two.worker.commands] == [(1, 1027, 5)]


async def test_an_idle_process_knows_what_the_renewal_of_another_asked_for(two: Rig) -> None:
    two.worker.ranked = [1, 1027, 5]
    await two.store(observed(1), observed(1027), command_ids=["another"])
    await two.store(observed(5, "7", source="cryptocompare"), command_ids=["another"])
    await two.queue.announce(await two.worker.ranking(["another"]))
    await until(lambda: two.api.top.current.observed_at)
    assert due_in(two, 3) == 60
    assert (await two.get(PATH))["sources"]["prices"] == ["coinmarketcap", "cryptocompare"]
    assert two.worker.commands == []


async def test_checks_of_what_the_catalog_does_not_have_are_not_kept(rig: Rig) -> None:
    failure = Failure(currency_id=77, kind=FailureKind.VISITED, detail="gone", is_answered=True)
    rig.api.river._learn(RefreshFailed(command_id="another", failures=(failure,)))
    rig.api.top.current._checks._visited[78] = 0.0
    rig.api.top.current.rename()
    assert rig.api.top.current._checks._visited.keys() <= {1, 1027, 5, 6}


# What is served


async def test_a_list_for_which_no_source_has_enough_places_is_put_together_once(
    two: Rig, monkeypatch: pytest.MonkeyPatch, built: list[object]
) -> None:
    ranking = await two.storage.record_ranking(
        "cryptocompare", [1, 1027], is_whole=False, observed_at=START, stored_at=START
    )
    two.worker.ranked = [1, 1027]

    async def too_short(_command_ids: Sequence[str] = ()) -> list[Fact]:
        return [RankingStored(ranking=ranking, command_ids=tuple(_command_ids))]

    monkeypatch.setattr(two.worker, "ranking", too_short)
    await two.store(observed(), observed(1027))
    for _ in range(5):
        body = await two.get(f"{PATH}?limit=4")
        assert (len(body["results"]), body["stale"]) == (2, False)
    assert len(built) == 1
    await two.advance(seconds=20)
    await two.store(observed(price="7", observed_at=two.clock()))
    assert (await two.get(f"{PATH}?limit=4"))["results"][0]["price_usd"] == "7"
    await two.advance(seconds=39)
    assert two.api.top.current.ready(4, Format.JSON, two.clock().timestamp() + 1) is None


async def test_prices_that_are_being_asked_for_in_the_background_make_no_list_due(
    two: Rig, monkeypatch: pytest.MonkeyPatch, built: list[object]
) -> None:
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
    built.clear()
    for _ in range(5):
        body = await two.get(PATH)
        assert (body["stale"], body["results"][0]["price_usd"]) == (False, "6.5")
    assert len(built) == 1
    assert await looked(two) == 2
    may_go_on.set()
    await until(lambda: two.api.memory.fetched_since(6, two.clock()))
    assert (await two.get(PATH))["results"][0]["price_usd"] != "6.5"
    assert due_in(two, 4) == 60


async def test_a_price_that_another_source_states_by_the_way_is_no_answer_and_costs_no_second_visit(
    two: Rig,
) -> None:
    await listed(two)
    visits = len(two.worker.commands) + 1
    await two.advance(seconds=61)
    two.worker.hold.clear()
    asking = asyncio.create_task(two.get(PATH))
    await until(lambda: len(two.worker.rankings) == 2 and len(two.worker.commands) == visits)
    now = two.clock()
    await two.store(*(observed(one, source="cryptocompare", observed_at=now) for one in (1, 1027, 5, 6)))
    body = await asking
    assert (body["stale"], body["sources"]["prices"]) == (False, ["cryptocompare"])
    two.worker.hold.set()
    await until(lambda: not two.api.refresher._flights)
    assert (await two.get(PATH))["sources"]["prices"] == ["coinmarketcap"]
    assert due_in(two, 4) == 60
    assert len(two.worker.commands) == visits


async def test_newcomers_whose_source_fails_are_tried_again_and_said_to_be_stale(two: Rig) -> None:
    two.worker.ranked = [1, 1027, 5]
    await two.store(observed(6, "6.5", observed_at=two.clock()))
    await two.get(PATH)
    await two.advance(seconds=61)
    failure = Failure(currency_id=6, kind=FailureKind.VISITED, detail="broken")
    two.worker.ranked = [6, 1, 1027, 5]
    work = two.worker.work

    async def failing(deliveries: Sequence[Delivery]) -> None:
        ids = {
            one
            for each in deliveries
            if isinstance(each.command, RefreshRates)
            for one in each.command.currency_ids
        }
        two.worker.failure = failure.kind if ids == {6} else None
        await work(deliveries)

    two.worker.work = failing  # type: ignore[method-assign]
    assert (await two.get(PATH))["stale"] is False
    await until(lambda: two.api.top.renewals._demands[200].failure is not None)
    assert (await two.get(PATH))["stale"] is True


async def test_a_currency_that_is_in_no_list_changes_none(two: Rig, built: list[object]) -> None:
    two.worker.ranked = [1, 1027]
    body = await listed(two)
    built.clear()
    for _ in range(3):
        await two.get("/api/latestrate/5/")
        assert await two.get(PATH) == body
    assert built == []
    await two.get("/api/latestrate/1/")
    assert await two.get(PATH) != body
    assert len(built) == 1


# Several lengths


async def test_a_longer_list_in_demand_renews_the_shorter_ones(two: Rig) -> None:
    paths = [f"{PATH}?limit={limit}" for limit in (100, 300, 5000)]
    await asyncio.gather(*(two.get(path) for path in paths))
    await until(lambda: two.api.memory.known(6))
    await rested(two)
    two.worker.rankings.clear()
    await two.advance(seconds=50)
    await until(lambda: two.worker.rankings)
    assert await looked(two) == 1
    assert [one.length for one in two.worker.rankings] == [5000]
    assert {due_in(two, limit) for limit in (100, 300, 5000)} == {60}


async def test_who_waits_for_a_short_list_waits_for_the_renewal_of_the_longer_one(two: Rig) -> None:
    two.worker.ranking_hold.clear()
    long = asyncio.create_task(two.get(f"{PATH}?limit=5000"))
    await until(lambda: two.worker.rankings)
    short = asyncio.create_task(two.get(f"{PATH}?limit=2"))
    await until(lambda: 200 in two.api.top.renewals._demands)
    two.worker.ranking_hold.set()
    assert len((await long)["results"]) == 4
    assert len((await short)["results"]) == 2
    assert [one.length for one in two.worker.rankings] == [5000]


async def test_a_long_list_that_failed_holds_no_short_one_up(
    two: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listed(two)
    await two.get(f"{PATH}?limit=5000")
    await rested(two)
    await two.advance(seconds=50)
    two.worker.ranking_failure = FailureKind.VISITED
    await until(lambda: len(two.worker.rankings) == 2)
    await rested(two)
    assert {one.failures for one in two.api.top.renewals._demands.values()} == {1}
    two.worker.ranking_failure = None
    demands = two.api.top.renewals._demands
    demands[5000].rests_until = two.clock().timestamp() + 1000
    await two.advance(seconds=6)
    await until(lambda: demands[200].failure is None)
    assert two.worker.rankings[-1].length == 200

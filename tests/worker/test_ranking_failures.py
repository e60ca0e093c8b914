"""What becomes of a ranking where its sources, the budget or the database fail."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from shared.domain.allowance import FAILURES_TO_OPEN, Allowance
from shared.domain.visit import FailureKind, VisitOutcome, VisitReason
from shared.errors import StorageUnavailable
from shared.messages import CatalogStored, RatesStored
from shared.opening import World
from tests.worker.rankings import LISTING, TOPLIST, ranking_of, store_catalog, visit
from tests.worlds import Upstreams, small_world
from worker.jobs.catalog import renew_catalog

FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "code": 500},
    {"kind": "status", "code": 401},
    {"kind": "malformed"},
    {"kind": "cut", "length": "right"},
    {"kind": "deep"},
    {"kind": "redirect"},
    {"kind": "reset"},
    {"kind": "empty"},
]


@pytest.mark.parametrize(
    "fault",
    [*FAULTS, *({"kind": "status", "code": code} for code in (1, 2, 99))],
    ids=str,
)
async def test_where_the_first_fails_the_second_gives_the_ranking(
    both: tuple[World, Upstreams], fault: dict[str, Any]
) -> None:
    world, upstreams = both
    await upstreams.fault(path=TOPLIST, **fault)
    ranking = ranking_of(await visit(world))
    assert (ranking.source, len(ranking.currency_ids)) == ("coinmarketcap", 200)
    done, failed = await world.storage.visits(limit=2)
    assert (done.source, done.outcome) == ("coinmarketcap", VisitOutcome.DONE)
    assert (failed.source, failed.outcome) == ("cryptocompare", VisitOutcome.FAILED)
    assert failed.rates_stored == 0
    assert {rate.source for rate in await world.storage.last_rates()} == {"coinmarketcap"}


@pytest.mark.parametrize(
    "fault",
    [*FAULTS, *({"kind": "status", "code": code} for code in (1001, 1008, 1010))],
    ids=str,
)
async def test_where_the_other_fails_ranking_and_prices_come_from_the_first(
    both: tuple[World, Upstreams], fault: dict[str, Any]
) -> None:
    world, upstreams = both
    await upstreams.fault(path="/v3/cryptocurrency", **fault)
    report = await visit(world)
    assert ranking_of(report).source == "cryptocompare"
    priced = {one.rate.currency_id for one in report.recorded}
    prices = await world.visitor.visit(
        priced, reason=VisitReason.REFRESH, asked_at=world.clock(), time_left=timedelta(seconds=10)
    )
    assert prices.failures == ()
    assert {one.rate.source for one in prices.recorded} == {"cryptocompare"}


@pytest.mark.parametrize("stage", ["headers", "body"])
async def test_a_source_that_hangs_leaves_time_for_the_next(
    both: tuple[World, Upstreams], stage: str
) -> None:
    world, upstreams = both
    await upstreams.fault(path=TOPLIST, kind="hang", stage=stage)
    assert ranking_of(await visit(world, seconds=5)).source == "coinmarketcap"


async def test_one_page_that_fails_fails_the_snapshot(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    await upstreams.fault(path=TOPLIST, kind="status", code=1, times=1)
    assert ranking_of(await visit(world, 400)).source == "coinmarketcap"
    assert {rate.source for rate in await world.storage.last_rates()} == {"coinmarketcap"}


async def test_a_breaker_that_lets_one_call_through_is_closed_by_the_first_page(
    both: tuple[World, Upstreams],
) -> None:
    """All pages at once would fail on it for ever."""
    world, upstreams = both
    kept, version = await world.storage.allowance("cryptocompare")
    open_for_a_probe = replace(kept, failures=FAILURES_TO_OPEN, open_until=world.clock())
    assert await world.storage.replace_allowance("cryptocompare", open_for_a_probe, version=version)
    ranking = ranking_of(await visit(world, 600))
    assert (ranking.source, len(ranking.currency_ids)) == ("cryptocompare", 600)
    assert await upstreams.calls(TOPLIST) == 6
    assert (await world.storage.allowance("cryptocompare"))[0].failures == 0


async def test_pages_that_are_under_way_when_one_fails_cost_what_they_cost(tmp_path: Path) -> None:
    """A call that is broken off would leave its credit reserved for good."""
    async with small_world(
        tmp_path, sources=("coinmarketcap", "cryptocompare"), cryptocompare_credits_per_month=100
    ) as (world, upstreams):
        await renew_catalog(world)
        await upstreams.fault(path=TOPLIST, kind="status", code=500, times=1)
        await upstreams.fault(path=TOPLIST, kind="latency", ms=50)
        assert ranking_of(await visit(world, 400)).source == "coinmarketcap"
        assert (await world.storage.allowance("cryptocompare"))[0].credits_spent == 3


async def test_a_page_with_a_hole_is_no_ranking(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    top = ranking_of(await visit(world)).currency_ids[0]
    await upstreams.fault(path=TOPLIST, kind="missing", ids=[top])
    assert ranking_of(await visit(world)).source == "coinmarketcap"


async def test_a_list_torn_between_its_pages_is_asked_for_once_more(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    ids = ranking_of(await visit(world)).currency_ids
    before = await upstreams.calls(TOPLIST)
    # The same id on both pages, which are asked for once each.
    await upstreams.fault(path=TOPLIST, kind="wrong_id", ids=[ids[0], ids[150]], other=77, times=2)
    ranking = ranking_of(await visit(world))
    assert ranking.source == "cryptocompare"
    assert await upstreams.calls(TOPLIST) - before == 4
    assert 77 not in (await world.storage.aliases("cryptocompare")).values()


async def test_a_list_that_stays_torn_is_no_ranking(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    ids = ranking_of(await visit(world)).currency_ids
    await upstreams.fault(path=TOPLIST, kind="wrong_id", ids=[ids[0], ids[150]], other=77)
    assert ranking_of(await visit(world)).source == "coinmarketcap"
    assert "77" not in await world.storage.aliases("cryptocompare")


async def test_with_both_down_nothing_is_stored_and_the_last_ranking_stays(
    both: tuple[World, Upstreams],
) -> None:
    world, upstreams = both
    last = ranking_of(await visit(world))
    rates = await world.storage.last_rates()
    await upstreams.fault(kind="malformed")
    report = await visit(world)
    assert report.ranking is None
    assert report.facts(["one"]) == []
    assert report.failure is not None
    assert (report.failure.currency_id, report.failure.kind) == (None, FailureKind.VISITED)
    assert await world.storage.last_ranking() == last
    assert await world.storage.last_rates() == rates


async def test_a_rate_that_cannot_be_believed_is_refused_and_the_place_kept(
    both: tuple[World, Upstreams],
) -> None:
    world, upstreams = both
    await upstreams.fault(path=TOPLIST, kind="old")
    report = await visit(world)
    assert len(ranking_of(report).currency_ids) == 200
    assert report.recorded == ()
    assert await world.storage.last_rates() == []


@pytest.mark.parametrize("value", ["null", "-1", "0", "1e400", '"abc"'])
async def test_a_price_that_is_none_costs_no_place(both: tuple[World, Upstreams], value: str) -> None:
    world, upstreams = both
    await upstreams.fault(path=TOPLIST, kind="price", ids=[1], value=value)
    report = await visit(world)
    assert ranking_of(report).source == "cryptocompare"
    assert 1 in ranking_of(report).currency_ids
    assert 1 not in {one.rate.currency_id for one in report.recorded}


async def test_a_budget_that_is_spent_is_told_with_the_time_to_wait(tmp_path: Path) -> None:
    async with small_world(
        tmp_path,
        sources=("coinmarketcap", "cryptocompare"),
        coinmarketcap_calls_per_minute=2,
        cryptocompare_calls_per_minute=2,
    ) as (world, upstreams):
        await renew_catalog(world)
        assert ranking_of(await visit(world)).source == "cryptocompare"
        before = await upstreams.calls()
        report = await visit(world)
        assert report.failure is not None
        assert (report.failure.kind, await upstreams.calls()) == (FailureKind.NOT_TRIED, before)
        assert report.failure.retry_after is not None
        assert 0 < report.failure.retry_after <= 61


async def test_without_a_catalog_nothing_is_asked(tmp_path: Path) -> None:
    async with small_world(tmp_path) as (world, upstreams):
        report = await visit(world)
        assert report.failure is not None
        assert (report.failure.kind, await upstreams.calls()) == (FailureKind.NOT_TRIED, 0)
        assert "catalog" in report.failure.detail


async def test_without_time_nothing_is_asked(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    before = await upstreams.calls()
    report = await visit(world, seconds=0)
    assert report.failure is not None
    assert (report.failure.kind, await upstreams.calls()) == (FailureKind.DEADLINE, before)


@pytest.mark.parametrize(
    ("budget", "reason", "wait"),
    [
        ({"cryptocompare_calls_per_minute": 5}, "5 calls per minute", 61),
        ({"cryptocompare_credits_per_month": 5}, "5 credits per month", 31 * 86_400),
    ],
)
async def test_pages_that_do_not_all_fit_into_the_budget_are_not_begun(
    tmp_path: Path, budget: dict[str, int], reason: str, wait: float
) -> None:
    """What the first pages cost would be lost, and the rest of the minute with it."""
    async with small_world(tmp_path, sources=("cryptocompare",), **budget) as (world, upstreams):
        await store_catalog(world)
        report = await visit(world, 600)
        assert report.failure is not None
        assert report.failure.kind is FailureKind.NOT_TRIED
        assert reason in report.failure.detail
        assert report.failure.retry_after is not None
        assert 1 < report.failure.retry_after <= wait
        assert await upstreams.calls(TOPLIST) == 0
        assert (await world.storage.allowance("cryptocompare"))[0] == Allowance()
        assert len(ranking_of(await visit(world, 400)).currency_ids) == 400


async def test_a_torn_list_that_cannot_be_asked_for_again_is_told_as_torn(tmp_path: Path) -> None:
    async with small_world(tmp_path, sources=("cryptocompare",), cryptocompare_calls_per_minute=3) as (
        world,
        upstreams,
    ):
        await store_catalog(world)
        await upstreams.fault(path=TOPLIST, kind="wrong_id", ids=list(range(1, 2000)), other=77)
        report = await visit(world)
        assert report.failure is not None
        assert report.failure.kind is FailureKind.VISITED
        assert await upstreams.calls(TOPLIST) == 2
        (line,) = await world.storage.visits(limit=5)
        assert (line.outcome, line.credits) == (VisitOutcome.FAILED, 2)


async def test_what_was_stored_before_the_storing_broke_off_is_told_and_its_credits_count_once(
    both: tuple[World, Upstreams], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = both

    async def down(*_: object, **__: object) -> None:
        raise StorageUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(type(world.storage), "record_ranking", down)
        report = await visit(world)
    assert report.failure is not None
    assert report.failure.kind is FailureKind.DATABASE_AWAY
    stored = {rate.currency_id for rate in await world.storage.last_rates()}
    assert {one.rate.currency_id for one in report.recorded} == stored != set()
    assert [type(fact) for fact in report.facts(["one"])] == [CatalogStored, RatesStored]
    lines = [one for one in await world.storage.visits(limit=5) if one.source == "cryptocompare"]
    assert [(one.outcome, one.credits) for one in lines] == [
        (VisitOutcome.NOT_TRIED, 0),
        (VisitOutcome.DONE, 2),
    ]


async def test_new_currencies_are_told_where_their_prices_could_not_be_stored(
    both: tuple[World, Upstreams], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = both

    async def down(*_: object, **__: object) -> None:
        raise StorageUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(type(world.storage), "record_rates", down)
        report = await visit(world)
    assert report.ranking is None
    assert report.facts() == [CatalogStored(currencies=len(await world.storage.catalog()))]
    lines = [one for one in await world.storage.visits(limit=5) if one.source == "cryptocompare"]
    assert [(one.outcome, one.credits) for one in lines] == [(VisitOutcome.NOT_TRIED, 2)]


async def test_rates_that_are_refused_for_one_reason_are_one_line_in_the_log(
    both: tuple[World, Upstreams],
) -> None:
    world, upstreams = both
    await upstreams.fault(path=TOPLIST, kind="old")
    with structlog.testing.capture_logs() as lines:
        await visit(world)
    (line,) = (one for one in lines if one["event"] == "rates refused")
    (reason,) = line["reasons"]
    assert line["rates"] > 150
    assert reason.endswith(f" and {line['rates'] - 5} more: older than the source's limit of 3:00:00")
    assert reason.count(",") == 4


@pytest.mark.parametrize("method", ["catalog", "aliases", "record_rates", "record_ranking"])
async def test_storage_that_is_down_is_an_end_like_any_other(
    both: tuple[World, Upstreams], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    world, upstreams = both

    async def down(*_: object, **__: object) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(type(world.storage), method, down)
    report = await visit(world)
    assert report.failure is not None
    assert report.failure.kind is FailureKind.DATABASE_AWAY
    assert await upstreams.calls(LISTING) == 0

"""The one job behind poll, command and direct visit, with two sources over HTTP."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from shared.domain.identity import DecidedBy, Identity, SourceCoin
from shared.domain.rate import RecordOutcome
from shared.domain.visit import FailureKind, VisitOutcome, VisitReason
from shared.errors import DeadlineExceeded, StorageUnavailable
from shared.messages import MAX_RATES_PER_FACT
from shared.opening import World
from shared.upstream import Upstream
from shared.visitor import VisitReport, facts_of
from simulator.app import create_simulator
from tests.worlds import Upstreams, small_world
from worker.jobs.catalog import renew_catalog

PLENTY = timedelta(seconds=5)


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[World, Upstreams]]:
    """The faulty first source, and a healthy second one."""
    second = TestServer(create_simulator())
    await second.start_server()
    url = str(second.make_url("")).rstrip("/")
    try:
        async with small_world(tmp_path, sources=("coinmarketcap", "simulator"), simulator_url=url) as (
            world,
            upstreams,
        ):
            await renew_catalog(world)
            yield world, upstreams
    finally:
        await second.close()


async def visit(world: World, *currency_ids: int, time_left: timedelta = PLENTY) -> VisitReport:
    return await world.visitor.visit(
        currency_ids, reason=VisitReason.REFRESH, asked_at=world.clock(), time_left=time_left
    )


async def test_the_preferred_source_is_asked_and_the_visit_journaled(both: tuple[World, Upstreams]) -> None:
    world, _ = both
    asked_at = world.clock()
    report = await visit(world, 1, 1027)
    assert report.failures == ()
    assert [one.outcome for one in report.recorded] == [RecordOutcome.STORED] * 2
    assert {one.rate.source for one in report.recorded} == {"coinmarketcap"}
    assert all(one.rate.fetched_at >= asked_at for one in report.recorded)
    journaled = (await world.storage.visits(limit=1))[0]
    assert (journaled.reason, journaled.outcome, journaled.rates_stored, journaled.credits) == (
        VisitReason.REFRESH,
        VisitOutcome.DONE,
        2,
        1,
    )


async def test_where_the_first_source_fails_the_next_is_asked_at_once(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    await upstreams.fault(path="quotes", kind="status", code=500)
    report = await visit(world, 1)
    assert [one.rate.source for one in report.recorded] == ["simulator"]
    outcomes = {(one.source, one.outcome) for one in await world.storage.visits(limit=2)}
    assert outcomes == {("coinmarketcap", VisitOutcome.FAILED), ("simulator", VisitOutcome.DONE)}


async def test_a_first_source_that_hangs_leaves_time_for_the_next(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    await upstreams.fault(path="quotes", kind="hang")
    report = await visit(world, 1, time_left=timedelta(seconds=4))
    assert [one.rate.source for one in report.recorded] == ["simulator"]


async def test_a_deadline_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with small_world(tmp_path) as (world, _):
        await renew_catalog(world)

        async def late(*_: object, **__: object) -> None:
            raise DeadlineExceeded

        monkeypatch.setattr(Upstream, "ask", late)
        report = await visit(world, 1)
        assert [one.kind for one in report.failures] == [FailureKind.DEADLINE]
        assert report.unanswered == {1}


async def test_an_answer_of_any_source_counts_as_one(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    await upstreams.fault(path="quotes", kind="status", code=500)
    report = await visit(world, 999_999)
    assert [(one.kind, one.detail) for one in report.failures] == [
        (FailureKind.VISITED, "simulator does not know this currency.")
    ]
    assert report.unanswered == frozenset()


async def test_only_what_the_first_source_lacks_is_asked_of_the_next(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    await upstreams.fault(path="quotes", kind="missing", ids=[1027])
    report = await visit(world, 1, 1027)
    assert {one.rate.currency_id: one.rate.source for one in report.recorded} == {
        1: "coinmarketcap",
        1027: "simulator",
    }


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "old"},
        {"kind": "future"},
        *({"kind": "price", "value": value} for value in ("-1", "null", "0", "NaN")),
    ],
    ids=str,
)
async def test_a_rate_that_cannot_be_believed_is_refused_and_stored_nowhere(
    both: tuple[World, Upstreams], fault: dict[str, str]
) -> None:
    world, upstreams = both
    await upstreams.fault(path="quotes", **fault)
    report = await visit(world, 1)
    assert [one.rate.source for one in report.recorded] == ["simulator"]
    assert {rate.source for rate in await world.storage.last_rates([1])} == {"simulator"}


async def test_an_unchanged_observation_confirms_and_stores_no_second_row(
    both: tuple[World, Upstreams],
) -> None:
    world, upstreams = both
    await upstreams.fault(path="quotes", kind="unchanged")
    first = (await visit(world, 1)).recorded[0]
    second = (await visit(world, 1)).recorded[0]
    assert second.outcome is RecordOutcome.CONFIRMED
    assert second.rate.id == first.rate.id
    assert second.rate.fetched_at > first.rate.fetched_at


async def test_failure_of_all_sources_is_told_as_visited(tmp_path: Path) -> None:
    async with small_world(tmp_path) as (world, upstreams):
        await renew_catalog(world)
        await upstreams.fault(path="quotes", kind="malformed")
        report = await visit(world, 1)
        assert [one.kind for one in report.failures] == [FailureKind.VISITED]
        assert report.recorded == ()


async def test_a_spent_budget_is_told_as_not_tried_with_the_time_to_wait(tmp_path: Path) -> None:
    async with small_world(tmp_path, coinmarketcap_calls_per_minute=3) as (world, upstreams):
        await renew_catalog(world)
        assert (await visit(world, 1)).failures == ()
        before = await upstreams.calls()
        report = await visit(world, 1)
        assert [one.kind for one in report.failures] == [FailureKind.NOT_TRIED]
        assert report.failures[0].retry_after is not None
        assert 0 < report.failures[0].retry_after <= 61
        assert await upstreams.calls() == before
        assert (await world.storage.visits(limit=1))[0].outcome is VisitOutcome.NOT_TRIED


async def test_without_time_nothing_is_asked(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    before = await upstreams.calls()
    report = await visit(world, 1, time_left=timedelta(0))
    assert [one.kind for one in report.failures] == [FailureKind.DEADLINE]
    assert await upstreams.calls() == before


async def test_ids_that_the_source_rejects_do_not_spoil_their_neighbours(tmp_path: Path) -> None:
    async with small_world(tmp_path) as (world, upstreams):
        await renew_catalog(world)
        await upstreams.fault(
            path="quotes", kind="status", code=400, times=1, message='Invalid value for "id": "1027"'
        )
        report = await visit(world, 1, 1027)
        assert [one.rate.currency_id for one in report.recorded] == [1]
        assert [(one.currency_id, one.kind) for one in report.failures] == [(1027, FailureKind.VISITED)]


async def test_storage_that_is_down_is_an_end_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with small_world(tmp_path) as (world, _):
        await renew_catalog(world)

        async def down(*_: object, **__: object) -> None:
            raise StorageUnavailable

        monkeypatch.setattr(type(world.storage), "record_rates", down)
        monkeypatch.setattr(type(world.storage), "record_visit", down)
        report = await visit(world, 1)
        assert [one.kind for one in report.failures] == [FailureKind.DATABASE_AWAY]


async def test_facts_hold_at_most_500_rates_each_and_name_the_commands(tmp_path: Path) -> None:
    async with small_world(tmp_path) as (world, _):
        await renew_catalog(world)
        ids = [one.id for one in await world.storage.catalog() if one.rank is not None][:520]
        report = await visit(world, *ids)
        facts = facts_of(report, ["one", "two"])
        assert len(report.recorded) == 520
        assert [len(fact.stored) for fact in facts] == [MAX_RATES_PER_FACT, 20]
        assert [fact.command_ids for fact in facts] == [("one", "two")] * 2


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[World, Upstreams]]:
    """CoinMarketCap and CryptoCompare, which has a symbol for BTC and for a local currency."""
    async with small_world(tmp_path, sources=("coinmarketcap", "cryptocompare")) as (world, upstreams):
        await renew_catalog(world)
        coins = {"1182": ("BTC", 1), "2001027": ("ETH", None)}
        await world.storage.record_identities(
            "cryptocompare",
            [
                Identity(SourceCoin(source_id=one, symbol=symbol, name=symbol), currency_id, DecidedBy.NONE)
                for one, (symbol, currency_id) in coins.items()
            ],
            decided_at=world.clock(),
        )
        yield world, upstreams


async def _local(world: World) -> int:
    return (await world.storage.aliases("cryptocompare"))["2001027"]


async def test_a_source_with_ids_of_its_own_is_asked_by_its_symbols(two: tuple[World, Upstreams]) -> None:
    world, upstreams = two
    await upstreams.fault(path="quotes", kind="status", code=500)
    report = await visit(world, 1)
    assert [(one.rate.currency_id, one.rate.source) for one in report.recorded] == [(1, "cryptocompare")]


async def test_a_local_currency_is_asked_only_of_the_source_that_knows_it(
    two: tuple[World, Upstreams],
) -> None:
    world, upstreams = two
    local = await _local(world)
    report = await visit(world, local)
    assert [(one.rate.currency_id, one.rate.source) for one in report.recorded] == [(local, "cryptocompare")]
    assert await upstreams.calls("quotes") == 0


async def test_no_source_is_waited_for_that_does_not_know_the_currency(two: tuple[World, Upstreams]) -> None:
    """What the first one does not know is asked of the next side by side with it."""
    world, upstreams = two
    local = await _local(world)
    await upstreams.fault(path="quotes", kind="latency", ms=300)
    report = await visit(world, 1027, local)
    assert {one.rate.source for one in report.recorded} == {"coinmarketcap", "cryptocompare"}
    visits = {one.source: one for one in await world.storage.visits(limit=2)}
    slow, quick = visits["coinmarketcap"], visits["cryptocompare"]
    assert quick.started_at < slow.started_at + slow.duration


async def test_what_the_second_source_does_not_know_ends_as_the_first_one_left_it(
    two: tuple[World, Upstreams],
) -> None:
    world, upstreams = two
    await upstreams.fault(path="quotes", kind="status", code=500)
    report = await visit(world, 1027)
    (failure,) = report.failures
    assert failure.kind is FailureKind.VISITED
    assert "cryptocompare" not in failure.detail
    assert report.unanswered == {1027}
    assert await upstreams.calls("pricemultifull") == 0


async def test_what_no_source_knows_is_told_at_once_and_asking_again_would_not_help(
    two: tuple[World, Upstreams],
) -> None:
    world, upstreams = two
    before = await upstreams.calls()
    report = await visit(world, 10**9 + 7)
    (failure,) = report.failures
    assert (failure.kind, failure.detail) == (
        FailureKind.VISITED,
        "cryptocompare does not know this currency.",
    )
    assert report.unanswered == frozenset()
    assert await upstreams.calls() == before


async def test_a_source_that_is_closed_says_more_than_one_that_does_not_know(tmp_path: Path) -> None:
    async with small_world(
        tmp_path, sources=("coinmarketcap", "cryptocompare"), cryptocompare_calls_per_minute=1
    ) as (world, _):
        await renew_catalog(world)
        coin = SourceCoin(source_id="2001027", symbol="ETH", name="ETH")
        local = (
            await world.storage.record_identities(
                "cryptocompare", [Identity(coin, None, DecidedBy.NONE)], decided_at=world.clock()
            )
        )["2001027"]
        assert (await visit(world, local)).failures == ()
        (failure,) = (await visit(world, local)).failures
        assert failure.kind is FailureKind.NOT_TRIED
        assert failure.retry_after is not None


async def test_symbols_that_cannot_be_read_are_an_end_like_any_other(
    two: tuple[World, Upstreams], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, upstreams = two
    local = await _local(world)

    async def down(*_: object) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(type(world.storage), "symbols", down)
    await upstreams.fault(path="quotes", kind="status", code=500)
    report = await visit(world, 1, local)
    assert {one.currency_id: one.kind for one in report.failures} == {
        1: FailureKind.VISITED,
        local: FailureKind.DATABASE_AWAY,
    }


BITCOIN, EURO, POUND, RUBLE = 1, 2790, 2791, 2806


@pytest.fixture
async def fiat(tmp_path: Path) -> AsyncIterator[tuple[World, Upstreams]]:
    """Frankfurter before CoinMarketCap."""
    async with small_world(tmp_path) as (world, upstreams):
        await renew_catalog(world)
        yield world, upstreams


async def test_fiat_currencies_and_coins_are_asked_for_side_by_side(
    fiat: tuple[World, Upstreams],
) -> None:
    world, upstreams = fiat
    await upstreams.fault(path="/v1/latest", kind="latency", ms=300)
    report = await visit(world, BITCOIN, EURO, POUND)
    assert {one.rate.currency_id: one.rate.source for one in report.recorded} == {
        BITCOIN: "coinmarketcap",
        EURO: "frankfurter",
        POUND: "frankfurter",
    }
    assert (await upstreams.calls("/v1/latest"), await upstreams.calls("quotes")) == (1, 1)
    visits = {one.source: one for one in await world.storage.visits(limit=2)}
    slow, quick = visits["frankfurter"], visits["coinmarketcap"]
    assert quick.started_at < slow.started_at + slow.duration
    assert (slow.outcome, slow.credits, slow.rates_stored) == (VisitOutcome.DONE, 0, 2)


async def test_rates_of_a_central_bank_are_confirmed_until_it_sets_new_ones(
    fiat: tuple[World, Upstreams],
) -> None:
    world, _ = fiat
    first = (await visit(world, EURO)).recorded[0]
    second = (await visit(world, EURO)).recorded[0]
    assert (first.outcome, second.outcome) == (RecordOutcome.STORED, RecordOutcome.CONFIRMED)
    assert first.rate.observed_at == second.rate.observed_at
    assert second.rate.fetched_at > first.rate.fetched_at


async def test_a_fiat_currency_that_the_central_bank_does_not_know_is_asked_of_the_next(
    fiat: tuple[World, Upstreams],
) -> None:
    world, upstreams = fiat
    report = await visit(world, EURO, RUBLE)
    assert {one.rate.currency_id: one.rate.source for one in report.recorded} == {
        EURO: "frankfurter",
        RUBLE: "coinmarketcap",
    }
    assert await upstreams.calls("quotes") == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "code": 500},
        {"kind": "status", "code": 404},
        {"kind": "status", "code": 429},
        {"kind": "malformed"},
        {"kind": "reset"},
        {"kind": "old"},
        {"kind": "missing", "ids": [EURO, POUND]},
        {"kind": "empty"},
    ],
    ids=str,
)
async def test_where_the_central_banks_rates_cannot_be_had_the_next_source_is_asked(
    fiat: tuple[World, Upstreams], fault: dict[str, object]
) -> None:
    world, upstreams = fiat
    await upstreams.fault(path="/v1/latest", **fault)
    report = await visit(world, POUND, BITCOIN)
    assert {one.rate.currency_id: one.rate.source for one in report.recorded} == {
        BITCOIN: "coinmarketcap",
        POUND: "coinmarketcap",
    }


async def test_a_fiat_currency_that_no_source_gives_ends_as_a_visit_that_failed(
    fiat: tuple[World, Upstreams],
) -> None:
    world, upstreams = fiat
    await upstreams.fault(path="/v1/latest", kind="status", code=500)
    await upstreams.fault(path="quotes", kind="status", code=500)
    report = await visit(world, EURO)
    assert [(one.currency_id, one.kind) for one in report.failures] == [(EURO, FailureKind.VISITED)]
    assert report.unanswered == {EURO}


async def test_for_coins_the_source_of_fiat_currencies_is_never_asked(fiat: tuple[World, Upstreams]) -> None:
    world, upstreams = fiat
    report = await visit(world, BITCOIN, 1027)
    assert report.failures == ()
    assert await upstreams.calls("/v1/latest") == 0
    assert {one.source for one in await world.storage.visits(limit=10)} == {"coinmarketcap"}


async def test_simulated_rates_of_fiat_currencies_say_so(tmp_path: Path) -> None:
    async with small_world(tmp_path, sources=("simulator",)) as (world, upstreams):
        await renew_catalog(world)
        report = await visit(world, BITCOIN, EURO, RUBLE)
        assert {one.rate.currency_id for one in report.recorded} == {BITCOIN, EURO, RUBLE}
        assert {one.rate.source for one in report.recorded} == {"simulator"}
        assert await upstreams.calls("/v1/latest") == 1

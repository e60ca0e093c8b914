"""Where the rates of quotes come from: memory for a minute, then the store, then the source; one rule a test."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.domain.visit import FailureKind
from shared.errors import QueueUnavailable
from shared.messages import Role
from tests.api.conftest import StartRig
from tests.api.quotes import (
    BTC,
    BTC_USD,
    DUP,
    DUP_UNRANKED,
    ETH,
    EUR,
    EUR_USD,
    HIT,
    PATH,
    STALE_HIT,
    STORE,
    UPSTREAM,
    Counted,
    open_market,
    prices,
    quotes,
    trade,
    way,
)
from tests.api.rig import START, Rig, observed, recorded, until


@pytest.fixture
async def market(rig: Rig) -> Rig:
    return await open_market(rig)


@pytest.fixture
def counted(market: Rig, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(market, monkeypatch)


def asked(rig: Rig) -> list[Sequence[int]]:
    """What each command to the pricing workers asked for."""
    return [sorted(command.currency_ids) for command in rig.worker.commands]


# The order of look-up


async def test_what_a_fact_brought_is_a_hit_for_a_minute(market: Rig, counted: Counted) -> None:
    await trade(market)
    for _ in range(2):
        assert await way(market, "symbol=BTC&convert=EUR,ETH,USD") == HIT
        await market.advance(seconds=29)
    assert (counted.reads, asked(market)) == ([], [])


async def test_after_a_minute_the_store_is_read_and_its_value_is_a_hit_for_another_minute(
    market: Rig, counted: Counted
) -> None:
    await trade(market, BTC, EUR)
    await market.advance(seconds=60)
    assert await way(market, "symbol=BTC&convert=EUR") == STORE
    assert counted.reads == [[BTC, EUR]]
    await market.advance(seconds=59)
    assert await way(market, "symbol=BTC&convert=EUR") == HIT
    await market.advance(seconds=1)
    assert await way(market, "symbol=BTC") == STORE
    assert (counted.reads, asked(market)) == ([[BTC, EUR], [BTC]], [])


async def test_the_store_is_good_at_any_age_which_is_told(market: Rig) -> None:
    await recorded(market.storage, observed(BTC, "7", observed_at=START), fetched_at=START)
    await market.advance(days=3)
    (quote,) = (await quotes(market, "symbol=BTC")).values()
    assert (quote["price"], quote["age"], quote["stale"]) == ("7", 3 * 86_400, True)
    assert asked(market) == []


async def test_what_the_store_lacks_comes_from_the_source_and_is_a_hit_for_a_minute(
    market: Rig, counted: Counted
) -> None:
    assert await way(market, "symbol=BTC") == UPSTREAM
    assert counted.reads == [[BTC]]
    await market.advance(seconds=59)
    assert await way(market, "symbol=BTC") == HIT
    await market.advance(seconds=1)
    assert await way(market, "symbol=BTC") == STORE
    assert asked(market) == [[BTC]]


async def test_a_fresh_rate_is_stored_before_it_is_answered(market: Rig) -> None:
    (price,) = (await prices(market, "symbol=BTC")).values()
    (stored,) = await market.storage.last_rates([BTC])
    assert stored.price_usd == price


async def test_the_longest_way_of_all_rates_is_told(market: Rig) -> None:
    await trade(market, BTC)
    await market.advance(seconds=30)
    await trade(market, EUR)
    await market.advance(seconds=30)
    assert await way(market, "symbol=EUR") == HIT
    assert await way(market, "symbol=EUR&convert=BTC") == STORE
    assert await way(market, "symbol=EUR&convert=BTC,ETH") == UPSTREAM
    assert asked(market) == [[ETH]]


async def test_an_error_is_never_kept(market: Rig) -> None:
    market.worker.failure = FailureKind.VISITED
    for _ in range(2):
        body = await market.get(f"{PATH}?symbol=BTC", status=502)
        assert body["type"] == "/problems/source-failed"
    market.worker.failure = None
    assert await way(market, "symbol=BTC") == UPSTREAM
    assert asked(market) == [[BTC]] * 3


async def test_that_the_store_has_nothing_is_known_for_a_minute(market: Rig, counted: Counted) -> None:
    market.worker.failure = FailureKind.VISITED
    for _ in range(2):
        await market.get(f"{PATH}?symbol=BTC", status=502)
        await market.advance(seconds=30)
    assert counted.reads == [[BTC]]
    await market.get(f"{PATH}?symbol=BTC", status=502)
    assert counted.reads == [[BTC], [BTC]]


async def test_a_fact_takes_the_place_of_what_is_kept_at_once(market: Rig) -> None:
    await trade(market)
    query = "symbol=BTC&convert=USD,EUR"
    before = await prices(market, query)
    await market.advance(seconds=1)
    await market.store(observed(BTC, "7", observed_at=market.clock()))
    after = await prices(market, query)
    assert (str(before["BTC", "USD"]), str(after["BTC", "USD"])) == (BTC_USD, "7")
    assert after["BTC", "EUR"] != before["BTC", "EUR"]
    assert asked(market) == []


async def test_a_conversion_is_computed_anew_when_only_the_target_moves(market: Rig) -> None:
    await trade(market)
    before = await prices(market, "symbol=BTC&convert=ETH")
    await market.advance(seconds=1)
    await market.store(observed(ETH, "1", observed_at=market.clock()))
    after = await prices(market, "symbol=BTC&convert=ETH")
    assert before != after
    assert str(after["BTC", "ETH"]) == BTC_USD


# Many at once


async def test_all_that_is_missing_is_asked_for_by_one_command(market: Rig, counted: Counted) -> None:
    await trade(market, EUR)
    found = await prices(market, "id=1,1027,5,6&convert=EUR,BTC")
    assert len(found) == 6  # two of the four have one symbol
    assert (counted.reads, asked(market)) == (
        [[BTC, DUP, DUP_UNRANKED, ETH]],
        [[BTC, DUP, DUP_UNRANKED, ETH]],
    )


async def test_requests_that_overlap_share_what_they_both_need(market: Rig) -> None:
    market.worker.hold.clear()
    first = asyncio.create_task(way(market, "symbol=BTC,ETH"))
    await until(lambda: market.worker.commands)
    second = asyncio.create_task(way(market, "symbol=ETH&convert=BTC"))
    third = asyncio.create_task(way(market, "symbol=ETH,DUP"))
    await until(lambda: len(market.api.refresher._flights) == 3)
    market.worker.hold.set()
    assert set(await asyncio.gather(first, second, third)) == {UPSTREAM}
    assert asked(market) == [[BTC, ETH], [DUP]]


async def test_many_who_ask_at_once_cost_one_read_and_one_command(market: Rig, counted: Counted) -> None:
    assert (
        await asyncio.gather(*(way(market, "symbol=BTC&convert=ETH") for _ in range(20))) == [UPSTREAM] * 20
    )
    assert asked(market) == [[BTC, ETH]]
    assert len(counted.reads) <= 2  # those who come during a read share the next
    await market.advance(seconds=60)
    reads = len(counted.reads)
    assert await asyncio.gather(*(way(market, "symbol=BTC") for _ in range(20))) == [STORE] * 20
    assert len(counted.reads) <= reads + 2


# max_age


async def test_a_rate_fetched_within_max_age_counts_in_memory(market: Rig, counted: Counted) -> None:
    await trade(market)
    await market.advance(seconds=30)
    assert await way(market, "symbol=BTC&convert=EUR&max_age=30") == HIT
    assert (counted.reads, asked(market)) == ([], [])


async def test_a_rate_fetched_within_max_age_counts_in_the_store(market: Rig, counted: Counted) -> None:
    await trade(market, BTC, EUR)
    await market.advance(seconds=40)
    await recorded(market.storage, observed(BTC, "8", observed_at=market.clock()), fetched_at=market.clock())
    assert await way(market, "symbol=BTC&max_age=10") == STORE
    assert (counted.reads, asked(market)) == ([[BTC]], [])


async def test_what_is_older_than_max_age_is_asked_for_all_legs(market: Rig) -> None:
    await trade(market)
    await market.advance(seconds=31)
    found = await quotes(market, "symbol=BTC&convert=EUR&max_age=30")
    assert [leg["age"] for leg in found["BTC", "EUR"]["path"]] == [0, 0]
    assert asked(market) == [[BTC, EUR]]


async def test_max_age_zero_always_asks(market: Rig, counted: Counted) -> None:
    await trade(market)
    for _ in range(2):
        assert await way(market, "symbol=BTC&max_age=0") == UPSTREAM
    assert (counted.reads, asked(market)) == ([], [[BTC], [BTC]])


async def test_what_could_not_be_renewed_for_max_age_has_no_price_beside_what_could(market: Rig) -> None:
    await trade(market)
    await market.advance(seconds=5)
    market.worker.cannot_price = {ETH}
    found = await quotes(market, "symbol=BTC,ETH&max_age=0")
    assert found["BTC", "USD"]["age"] == 0
    assert found["ETH", "USD"] == {
        "currency": 2781,
        "symbol": "USD",
        "price": None,
        "actual_date": None,
        "age": None,
        "stale": True,
        "path": [],
    }


async def test_answers_with_max_age_are_stored_by_nobody(market: Rig) -> None:
    await trade(market)
    for query, said in (("", "no-cache"), ("&max_age=60", "no-store"), ("&max_age=0", "no-store")):
        _, headers = await market.headers(f"{PATH}?symbol=BTC{query}")
        assert headers["Cache-Control"] == said
    _, headers = await market.headers(f"{PATH}?symbol=DUP")
    assert (headers["Cache-Status"], headers["Cache-Control"]) == (UPSTREAM, "no-store")


# Failures


async def test_what_cannot_be_had_is_null_beside_what_can(market: Rig) -> None:
    await trade(market, BTC, EUR)
    market.worker.cannot_price = {ETH}
    body = await market.get(f"{PATH}?symbol=BTC,ETH&convert=EUR,ETH")
    by_pair = {(row["symbol"], one["symbol"]): one for row in body["results"] for one in row["quotes"]}
    assert by_pair["BTC", "EUR"]["price"] is not None
    assert by_pair["ETH", "ETH"]["price"] == "1"
    for pair, known in ((("BTC", "ETH"), "BTC/USD"), (("ETH", "EUR"), "USD/EUR")):
        quote = by_pair[pair]
        assert (quote["price"], quote["actual_date"], quote["age"], quote["stale"]) == (
            None,
            None,
            None,
            True,
        )
        assert [leg["pair"] for leg in quote["path"]] == [known]
    status, headers = await market.headers(f"{PATH}?symbol=BTC,ETH")
    assert (status, headers["Freshrate-Stale"], headers["Cache-Status"]) == (200, "true", UPSTREAM)


@pytest.mark.parametrize(
    ("kind", "status", "retry_after"),
    [
        (FailureKind.VISITED, 502, None),
        (FailureKind.NOT_TRIED, 503, "8"),
        (FailureKind.DATABASE_AWAY, 503, "8"),
    ],
)
async def test_where_nothing_has_a_price_the_failure_is_the_answer(
    market: Rig, kind: FailureKind, status: int, retry_after: str | None
) -> None:
    market.worker.failure = kind
    answered, headers = await market.headers(f"{PATH}?symbol=BTC,ETH&convert=EUR")
    assert (answered, headers.get("Retry-After")) == (status, retry_after)
    assert headers["Content-Type"] == "application/problem+json"


async def test_a_worker_that_is_late_is_a_deadline(start: StartRig) -> None:
    rig = await open_market(await start(refresh_timeout_seconds=1))
    rig.worker.hold.clear()
    body = await rig.get(f"{PATH}?symbol=BTC", status=504)
    assert body["type"] == "/problems/deadline-exceeded"


async def test_a_source_that_failed_says_more_than_that_nothing_was_tried(market: Rig) -> None:
    market.worker.failure = FailureKind.NOT_TRIED
    first_hold = market.worker.hold = asyncio.Event()
    first = asyncio.create_task(market.headers(f"{PATH}?symbol=ETH"))
    await until(lambda: market.worker.commands)
    second_hold = market.worker.hold = asyncio.Event()
    both = asyncio.create_task(market.headers(f"{PATH}?symbol=ETH,BTC"))
    await until(lambda: len(market.api.refresher._flights) == 2)
    first_hold.set()
    assert (await first)[0] == 503
    await until(lambda: len(market.worker.commands) == 2)
    market.worker.failure = FailureKind.VISITED
    second_hold.set()
    assert (await both)[0] == 502
    assert asked(market) == [[ETH], [BTC]]


async def test_without_a_queue_what_is_known_is_answered(market: Rig) -> None:
    await trade(market, BTC, EUR)
    market.api.refresher.lose_queue(QueueUnavailable())
    assert await way(market, "symbol=BTC&convert=EUR") == HIT
    await market.advance(seconds=60)
    assert await way(market, "symbol=BTC&convert=EUR") == STORE
    found = await quotes(market, "symbol=BTC,ETH")
    assert (found["BTC", "USD"]["price"], found["ETH", "USD"]["price"]) == (BTC_USD, None)
    body = await market.get(f"{PATH}?symbol=ETH", status=503)
    assert body["type"] == "/problems/queue-unavailable"


async def test_without_the_store_what_memory_holds_is_answered_as_stale(
    market: Rig, counted: Counted
) -> None:
    await trade(market, BTC, EUR)
    await market.get(f"{PATH}?symbol=BTC&convert=EUR")
    counted.is_away = True
    await market.advance(seconds=60)
    for _ in range(2):
        status, headers = await market.headers(f"{PATH}?symbol=BTC&convert=EUR")
        assert (status, headers["Cache-Status"]) == (200, STALE_HIT)
        assert (headers["Freshrate-Stale"], headers["Age"]) == ("true", "60")
    body = await market.get(f"{PATH}?symbol=ETH", status=503)
    assert body["type"] == "/problems/database-unavailable"
    found = await quotes(market, "symbol=BTC,ETH&convert=EUR")
    assert found["BTC", "EUR"]["stale"] is True
    assert found["ETH", "EUR"]["price"] is None
    assert asked(market) == []
    counted.is_away = False
    await market.advance(seconds=2)
    assert await way(market, "symbol=BTC&convert=EUR") == STORE
    assert not (await quotes(market, "symbol=BTC&convert=EUR"))["BTC", "EUR"]["stale"]


async def test_without_the_store_max_age_leaves_it_to_the_worker(market: Rig, counted: Counted) -> None:
    await trade(market, BTC)
    await market.advance(seconds=30)
    counted.is_away = True
    assert await way(market, "symbol=BTC&max_age=5") == UPSTREAM
    assert asked(market) == [[BTC]]


# What it costs


async def test_only_requests_that_ask_a_worker_are_limited(start: StartRig) -> None:
    rig = await open_market(await start(refreshes_per_minute=1))
    await trade(rig, BTC, EUR)
    for _ in range(5):
        assert await way(rig, "symbol=BTC&convert=EUR") == HIT
    assert await way(rig, "symbol=ETH,DUP,NOPE") == UPSTREAM
    assert len(rig.worker.renewals) == 1
    status, headers = await rig.headers(f"{PATH}?symbol=BTC&max_age=0")
    assert (status, headers["Retry-After"]) == (429, "60")
    assert await way(rig, "symbol=BTC,ETH&convert=EUR") == HIT
    assert asked(rig) == [[DUP, ETH]]


async def test_whoever_asks_for_a_currency_puts_it_in_demand(market: Rig) -> None:
    await trade(market, BTC)
    await way(market, "symbol=BTC&convert=ETH")
    since = market.clock().timestamp()
    assert set(market.api.memory.asked_since(since)) == {BTC, ETH}
    await market.advance(seconds=1)
    await way(market, "symbol=BTC&convert=ETH")
    assert set(market.api.memory.asked_since(since + 1)) == {BTC, ETH}


async def test_the_dollar_and_a_currency_in_itself_need_no_rate(market: Rig, counted: Counted) -> None:
    for query in ("symbol=USD", "symbol=BTC&convert=BTC", "symbol=NOPE,EUR&convert_id=2790"):
        (quote,) = (await quotes(market, query)).values()
        assert (quote["price"], quote["age"], quote["actual_date"], quote["path"]) == ("1", 0, None, [])
        assert quote["stale"] is False
        _, headers = await market.headers(f"{PATH}?{query}")
        assert headers["Cache-Status"] == HIT
        assert "Age" not in headers
    assert (counted.reads, asked(market)) == ([], [])
    assert (await market.queue.depth(Role.PRICING)).accepted == 0


async def test_fiat_rates_are_stale_only_when_they_are_overdue(market: Rig) -> None:
    await trade(market, BTC, EUR)
    await market.advance(minutes=20)
    found = await quotes(market, "symbol=EUR,BTC")
    assert (found["EUR", "USD"]["price"], found["EUR", "USD"]["stale"]) == (EUR_USD, False)
    assert found["BTC", "USD"]["stale"] is True
    await market.advance(minutes=56)
    assert (await quotes(market, "symbol=EUR"))["EUR", "USD"]["stale"] is True

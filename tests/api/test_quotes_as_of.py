"""Quotes of a past moment: what was known then, at no cost and with the ages of then."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import StorageUnavailable
from tests.api.quotes import BTC, DUP, EUR, PATH, STORE, USD, open_market, quotes
from tests.api.rig import START, Rig, observed, recorded

THURSDAY = datetime(2026, 4, 2, 14, tzinfo=UTC)
"""Before Easter: the next rates of the European Central Bank are of Tuesday."""


@pytest.fixture
async def past(rig: Rig) -> Rig:
    """Two prices a minute apart, and the euro of the day before; then an hour goes by."""
    await open_market(rig)
    await recorded(
        rig.storage,
        observed(EUR, "1.08", source="frankfurter", observed_at=START - timedelta(hours=20)),
        fetched_at=START,
    )
    for price in ("100", "200"):
        await recorded(rig.storage, observed(BTC, price, observed_at=rig.clock()), fetched_at=rig.clock())
        await rig.advance(seconds=60)
    await rig.advance(hours=1)
    return rig


async def test_a_moment_has_the_rates_of_its_time_and_their_ages_then(past: Rig) -> None:
    body = await past.get(f"{PATH}?symbol=BTC&convert=EUR,USD&amount=2&datetime=2026-11-20T12:00:30Z")
    ((in_euros, in_dollars),) = [row["quotes"] for row in body["results"]]
    assert in_euros == {
        "currency": EUR,
        "symbol": "EUR",
        "price": "185.1851851851851851851851852",
        "actual_date": "2026-11-19T16:00:00.250Z",
        "age": 20 * 3600 + 29,
        "stale": False,
        "path": [
            {
                "pair": "BTC/USD",
                "source": "coinmarketcap",
                "actual_date": "2026-11-20T12:00:00.250Z",
                "age": 29,
            },
            {
                "pair": "USD/EUR",
                "source": "frankfurter",
                "actual_date": "2026-11-19T16:00:00.250Z",
                "age": 20 * 3600 + 29,
            },
        ],
    }
    assert (in_dollars["currency"], in_dollars["price"], in_dollars["age"]) == (USD, "200", 29)
    later = await quotes(past, "symbol=BTC&datetime=2026-11-20T12:01:30Z")
    assert (later["BTC", "USD"]["price"], later["BTC", "USD"]["age"]) == ("200", 29)


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-20T12:00:30",
        "2026-11-20T12:00:30%2B00:00",
        "2026-11-20T15:00:30%2B03:00",
        "1795176030",
        "1795176030.5",
    ],
)
async def test_a_moment_may_be_written_in_several_ways(past: Rig, moment: str) -> None:
    async with past.client.session.get(
        f"{past.client.make_url(PATH)}?symbol=BTC&datetime={moment}"
    ) as response:
        body = await response.json()
    assert body["results"][0]["quotes"][0]["price"] == "100"


async def test_its_headers_say_that_it_is_of_the_store_and_nothing_of_an_age(past: Rig) -> None:
    path = f"{PATH}?symbol=BTC&datetime=2026-11-20T12:00:30Z"
    status, headers = await past.headers(path)
    assert (status, headers["Cache-Status"], headers["Cache-Control"]) == (200, STORE, "no-cache")
    assert "Age" not in headers
    assert "Last-Modified" not in headers
    assert headers["Date"] == "Fri, 20 Nov 2026 13:02:00 GMT"
    await past.advance(seconds=5)
    status, again = await past.headers(path, **{"If-None-Match": headers["ETag"]})
    assert (status, again["Cache-Status"]) == (304, STORE)


async def test_it_costs_nothing_and_counts_as_no_demand(past: Rig) -> None:
    await quotes(past, "symbol=BTC,DUP,NOPE&convert=EUR&datetime=2026-11-20T12:00:30Z")
    assert (past.worker.commands, past.worker.renewals) == ([], [])
    assert past.api.memory.asked_since(0) == {}


async def test_what_was_not_known_then_is_null_beside_what_was(past: Rig) -> None:
    found = await quotes(past, "symbol=BTC,DUP&datetime=2026-11-20T12:00:30Z")
    assert found["BTC", "USD"]["price"] == "100"
    missing = found["DUP", "USD"]
    assert (missing["price"], missing["actual_date"], missing["age"], missing["stale"], missing["path"]) == (
        None,
        None,
        None,
        True,
        [],
    )


@pytest.mark.parametrize("moment", ["0", "2026-11-20T11:59:59Z", "0001-01-01", "1960-01-01"])
async def test_before_the_first_rate_there_is_none(past: Rig, moment: str) -> None:
    body = await past.get(f"{PATH}?symbol=BTC&convert=EUR&datetime={moment}", status=404)
    assert body["type"] == "/problems/no-rate-yet"


async def test_moments_before_1970_have_ages_too(past: Rig) -> None:
    old = datetime(1960, 1, 1, tzinfo=UTC)
    await past.storage.record_rates([observed(DUP, "5", observed_at=old)], fetched_at=old, stored_at=old)
    found = await quotes(past, "symbol=DUP&datetime=1960-01-01T00:00:07.9Z")
    assert (found["DUP", "USD"]["price"], found["DUP", "USD"]["age"]) == ("5", 7)


async def test_unknown_currencies_are_told_as_ever(past: Rig) -> None:
    moment = "datetime=2026-11-20T12:00:30Z"
    assert (await past.get(f"{PATH}?symbol=BTC,NOPE&{moment}"))["unknown"] == ["NOPE"]
    assert (await past.get(f"{PATH}?symbol=NOPE&{moment}", status=404))["unknown"] == ["NOPE"]
    assert "convert" in (await past.get(f"{PATH}?symbol=BTC&convert=NOPE&{moment}", status=400))["errors"]
    assert past.worker.renewals == []


async def test_a_rate_that_was_old_then_is_stale(past: Rig) -> None:
    await past.advance(days=1)
    for minutes, stale in ((14, False), (20, True)):
        found = await quotes(past, f"symbol=BTC&datetime=2026-11-20T12:{minutes}:00Z")
        assert found["BTC", "USD"]["stale"] is stale


@pytest.mark.parametrize(
    ("after", "source", "stale"),
    [
        (timedelta(days=5, minutes=15), "frankfurter", False),
        (timedelta(days=5, minutes=16), "frankfurter", True),
        (timedelta(days=8), "coinmarketcap", False),
    ],
    ids=["over Easter", "too long", "another source after a week"],
)
async def test_the_central_bank_rests_over_easter(
    rig: Rig, *, after: timedelta, source: str, stale: bool
) -> None:
    await open_market(rig)
    moment = THURSDAY + after
    await recorded(
        rig.storage,
        observed(EUR, "1.08", source="frankfurter", observed_at=THURSDAY),
        observed(EUR, "1.09", source="coinmarketcap", observed_at=moment - timedelta(minutes=1)),
        fetched_at=THURSDAY,
    )
    found = await quotes(rig, f"symbol=EUR&datetime={moment:%Y-%m-%dT%H:%M:%SZ}")
    ((leg,), is_stale) = found["EUR", "USD"]["path"], found["EUR", "USD"]["stale"]
    assert (leg["source"], is_stale) == (source, stale)


async def test_a_moment_that_is_not_settled_yet_is_waited_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_market(rig)
    await recorded(rig.storage, observed(BTC, "100", observed_at=START), fetched_at=START)
    rests: list[float] = []
    original = asyncio.sleep

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        await original(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await quotes(rig, "symbol=BTC&datetime=2026-11-20T12:00:00.25Z")
    await rig.advance(seconds=0.75)
    await quotes(rig, "symbol=BTC&datetime=2026-11-20T12:00:00.25Z")
    await rig.advance(seconds=10)
    await quotes(rig, "symbol=BTC&datetime=2026-11-20T12:00:00.25Z")
    assert [one for one in rests if one in {1.0, 0.25, 0.0}][-3:] == [1.0, 0.25, 0.0]


async def test_now_is_no_future(past: Rig) -> None:
    assert (await quotes(past, "symbol=BTC&datetime=2026-11-20T13:02:00.250Z"))["BTC", "USD"][
        "price"
    ] == "200"
    body = await past.get(f"{PATH}?symbol=BTC&datetime=2026-11-20T13:02:00.251Z", status=400)
    assert body["errors"]["datetime"] == ["Must not be in the future. It is 2026-11-20T13:02:00.250Z here."]


async def test_the_past_does_not_change_afterwards(past: Rig) -> None:
    path = f"{PATH}?symbol=BTC&convert=EUR&datetime=2026-11-20T12:00:30Z"
    before = await past.get(path)
    await recorded(
        past.storage,
        observed(BTC, "9", observed_at=START + timedelta(seconds=10)),
        fetched_at=past.clock(),
    )
    assert await past.get(path) == before


async def test_a_store_that_is_down_is_a_problem(past: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_args: Any, **_options: Any) -> Any:
        raise StorageUnavailable

    monkeypatch.setattr(past.storage, "top_as_of", down)
    body = await past.get(f"{PATH}?symbol=BTC&datetime=2026-11-20T12:00:30Z", status=503)
    assert body["type"] == "/problems/database-unavailable"


async def test_ready_answers_of_now_are_not_those_of_then(past: Rig) -> None:
    await past.store(observed(BTC, "300", observed_at=past.clock()))
    for _ in range(2):
        assert (await quotes(past, "symbol=BTC"))["BTC", "USD"]["price"] == "300"
        then = await quotes(past, "symbol=BTC&datetime=2026-11-20T12:00:30Z")
        assert then["BTC", "USD"]["price"] == "100"

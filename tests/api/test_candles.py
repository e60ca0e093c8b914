"""Candles over HTTP: pages without a gap, as JSON and CSV."""

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDictProxy

from api.candles.formats import candle_json
from api.candles.page import Span, placed, wanted
from api.candles.query import CandlesQuery
from api.candles.schemas import CandleSchema
from api.top.formats import Format
from shared.domain.candle import Candle, Interval
from shared.domain.identity import DecidedBy
from shared.domain.page import Cursor
from shared.domain.times import iso, micros
from tests.api.rig import START, Rig, observed, until
from tests.api.test_lists import walked
from tests.api.test_merged import decide

HOUR = timedelta(hours=1)
NOW_HOUR = START - timedelta(microseconds=250_000)
"""When the candle of now begins."""


async def prices(rig: Rig, *told: tuple[timedelta, str], source: str = "coinmarketcap") -> None:
    """Each so long before the hour of now."""
    for before, price in told:
        at = NOW_HOUR - before
        await rig.storage.record_rates(
            [observed(price=price, observed_at=at, source=source)], fetched_at=START, stored_at=START
        )


async def five_hours(rig: Rig) -> None:
    """Of which the one three hours ago has no rate."""
    await prices(
        rig,
        (4 * HOUR, "5"),
        (4 * HOUR - timedelta(minutes=20), "9"),
        (4 * HOUR - timedelta(minutes=30), "0.00000006315931"),
        (4 * HOUR - timedelta(minutes=59), "7"),
        (2 * HOUR, "8"),
        (HOUR, "8.5"),
        (timedelta(0), "9.25"),
    )


def empty(hours_ago: int) -> dict[str, Any]:
    prices = dict.fromkeys(("open", "high", "low", "close"))
    return {"time": iso(NOW_HOUR - hours_ago * HOUR), **prices, "count": 0}


async def test_a_candle_tells_the_first_the_greatest_the_least_and_the_last_price(rig: Rig) -> None:
    await five_hours(rig)
    page = await rig.get("/api/candles/1/")
    assert [one["count"] for one in page["results"]] == [1, 1, 1, 0, 4]
    assert page["results"][-1] == {
        "time": "2026-11-20T08:00:00.000Z",
        "open": "5",
        "high": "9",
        "low": "0.00000006315931",
        "close": "7",
        "count": 4,
    }
    assert (page["next"], page["previous"], page["sources"]) == (None, None, ["coinmarketcap"])


async def test_a_gap_is_stated_and_not_filled(rig: Rig) -> None:
    await five_hours(rig)
    assert (await rig.get("/api/candles/1/?interval=1h"))["results"][3] == empty(3)


async def test_the_list_goes_to_the_candle_of_now_whether_there_is_a_rate_or_not(rig: Rig) -> None:
    await prices(rig, (5 * HOUR, "1"))
    results = (await rig.get("/api/candles/1/?interval=4h"))["results"]
    assert [(one["time"][11:16], one["count"]) for one in results] == [
        ("12:00", 0),
        ("08:00", 0),
        ("04:00", 1),
    ]


@pytest.mark.parametrize("limit", [1, 3, 4])
async def test_pages_lead_to_the_end_and_back(rig: Rig, limit: int) -> None:
    await five_hours(rig)
    path = f"/api/candles/1/?from=2026-11-20T07:30&to=2026-11-20T12:00&source=coinmarketcap&limit={limit}"
    rows, last = await walked(rig, path)
    assert [row["time"][11:13] for row in rows] == ["11", "10", "09", "08"]
    back, _ = await walked(rig, last, link="previous")
    assert back == rows


async def test_from_is_inclusive_and_to_exclusive_and_both_are_about_when_a_candle_begins(rig: Rig) -> None:
    await five_hours(rig)
    for start, end, hours in (
        ("09:00", "11:00", ["10", "09"]),
        ("08:00:01", "10:00:01", ["10", "09"]),
        ("11:00", "11:00", []),
        ("11:00", "09:00", []),
    ):
        page = await rig.get(f"/api/candles/1/?from=2026-11-20T{start}&to=2026-11-20T{end}")
        assert [one["time"][11:13] for one in page["results"]] == hours
    # What lies after `to` but in a candle that begins before it, counts: candles are whole.
    (only,) = (await rig.get("/api/candles/1/?from=2026-11-20T08:00&to=2026-11-20T08:10"))["results"]
    assert only["count"] == 4


async def test_bounds_may_lie_at_the_ends_of_the_calendar_and_beyond_all_candles(rig: Rig) -> None:
    await five_hours(rig)
    for bounds in ("from=0001-01-01&to=9999-12-31T23:59:59", "from=-9999999999&to=9999999999"):
        for interval in ("1h", "1d"):
            page = await rig.get(f"/api/candles/1/?{bounds}&interval={interval}")
            assert sum(one["count"] for one in page["results"]) == 7
    nothing: dict[str, object] = {"next": None, "previous": None, "sources": [], "results": []}
    for bounds in ("from=9999-12-31T23:59:59", "to=0001-01-01"):
        assert await rig.get(f"/api/candles/1/?{bounds}") == nothing


async def test_candles_of_one_source_begin_with_its_first_rate(rig: Rig) -> None:
    await five_hours(rig)
    await prices(rig, (HOUR, "100"), source="cryptocompare")
    page = await rig.get("/api/candles/1/")
    assert (page["sources"], page["results"][1]["high"]) == (["coinmarketcap", "cryptocompare"], "100")
    page = await rig.get("/api/candles/1/?source=cryptocompare")
    assert page["sources"] == ["cryptocompare"]
    assert [(one["open"], one["count"]) for one in page["results"]] == [(None, 0), ("100", 1)]
    page = await rig.get("/api/candles/1/?source=simulator")
    assert (page["sources"], page["results"]) == ([], [])


async def test_the_sources_of_a_page_are_those_of_its_rates(rig: Rig) -> None:
    await five_hours(rig)
    await prices(rig, (HOUR, "100"), source="cryptocompare")
    assert (await rig.get("/api/candles/1/?limit=1"))["sources"] == ["coinmarketcap"]
    status, headers = await rig.headers("/api/candles/1/")
    assert (status, headers["Freshrate-Price-Sources"]) == (200, "coinmarketcap, cryptocompare")


async def test_a_known_currency_without_rates_is_an_empty_page_and_an_unknown_one_404(rig: Rig) -> None:
    assert (await rig.get("/api/candles/1027/"))["results"] == []
    for nobody in ("777", "0", "-1", "abc", "1.0", "9223372036854775808", "%00"):
        await rig.get(f"/api/candles/{nobody}/", status=404)


async def test_a_merged_currency_leads_to_its_successor(rig: Rig) -> None:
    local = await decide(rig, None, DecidedBy.NONE)
    await until(lambda: rig.api.catalog.get(local))
    await decide(rig, 1027, DecidedBy.SYMBOL_AND_NAME)
    await until(lambda: local in rig.api.catalog.merged())
    status, headers = await rig.headers(f"/api/candles/{local}/?interval=1d&format=csv")
    assert (status, headers["Location"]) == (308, "/api/candles/1027/?interval=1d&format=csv")


WRONG = {
    "interval=2h": "interval",
    "interval=": "interval",
    "interval=1H": "interval",
    "interval=1h&interval=1d": "interval",
    "limit=0": "limit",
    "limit=1001": "limit",
    "from=yesterday": "from",
    "to=2024-02-30": "to",
    "source=nobody": "source",
    "cursor=x": "cursor",
    "format=xml": "format",
    "until=2024-01-01": "until",
}


async def test_what_is_wrong_is_told_by_parameter(rig: Rig) -> None:
    told = {query: [*(await rig.get(f"/api/candles/1/?{query}", status=400))["errors"]] for query in WRONG}
    assert told == {query: [wrong] for query, wrong in WRONG.items()}


async def test_a_cursor_that_somebody_made_up_gives_a_page_all_the_same(rig: Rig) -> None:
    await five_hours(rig)
    for time, backwards in product((2**63 - 1, -(2**63) + 1, 0), (False, True)):
        cursor = Cursor((time, 1), backwards=backwards).encode()
        page = await rig.get(f"/api/candles/1/?cursor={cursor}")
        assert len(page["results"]) == (5 if (time > 0) != backwards else 0)


# CSV and headers


async def table(rig: Rig, path: str) -> tuple[list[list[str]], "CIMultiDictProxy[str]"]:
    async with rig.client.get(path) as response:
        assert response.status == 200
        return list(csv.reader(io.StringIO(await response.text(), newline=""))), response.headers


async def test_csv_says_the_same_as_json(rig: Rig) -> None:
    await five_hours(rig)
    rows, headers = await table(rig, "/api/candles/1/?format=csv")
    assert rows[0] == ["Time", "Open", "High", "Low", "Close", "Count"]
    results = (await rig.get("/api/candles/1/"))["results"]
    assert rows[1:] == [["" if cell is None else str(cell) for cell in one.values()] for one in results]
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["Content-Disposition"] == 'attachment; filename="freshrate-candles-1-1h.csv"'
    assert headers["Freshrate-Price-Sources"] == "coinmarketcap"
    assert "Link" not in headers


async def test_csv_links_to_its_neighbours_in_a_header(rig: Rig) -> None:
    await five_hours(rig)
    _, headers = await table(rig, "/api/candles/1/?format=csv&limit=2")
    path = headers["Link"].removeprefix("<").removesuffix('>; rel="next"')
    rows, headers = await table(rig, path)
    assert [row[0][11:13] for row in rows[1:]] == ["10", "09"]
    links = {name: path for path, name in re.findall(r'<([^>]+)>; rel="(\w+)"', headers["Link"])}
    assert links.keys() == {"next", "prev"}
    rows, _ = await table(rig, links["prev"])
    assert [row[0][11:13] for row in rows[1:]] == ["12", "11"]


@pytest.mark.parametrize("form", ["json", "csv"])
async def test_what_has_not_changed_is_not_sent_again(rig: Rig, form: str) -> None:
    await five_hours(rig)
    path = f"/api/candles/1/?format={form}"
    status, headers = await rig.headers(path)
    assert (status, headers["Cache-Control"]) == (200, "no-cache")
    assert headers["ETag"].startswith('W/"')
    again = {"If-None-Match": headers["ETag"]}
    assert (await rig.headers(path, **again))[0] == 304
    await prices(rig, (timedelta(0), "1"))
    assert (await rig.headers(path, **again))[0] == 200


async def test_head_has_the_headers_alone(rig: Rig) -> None:
    await five_hours(rig)
    async with rig.client.head("/api/candles/1/") as response:
        assert (response.status, await response.read()) == (200, b"")
        etag = response.headers["ETag"]
    assert (await rig.headers("/api/candles/1/"))[1]["ETag"] == etag


async def test_a_thousand_candles_come_whole(rig: Rig) -> None:
    await prices(rig, (timedelta(minutes=1200), "1.5"), (timedelta(0), "2.5"))
    page = await rig.get("/api/candles/1/?interval=1m&limit=1000")
    assert len(page["results"]) == 1000
    page = await rig.get(page["next"])
    assert [one["open"] for one in page["results"]] == [None] * 200 + ["1.5"]
    rows, _ = await table(rig, "/api/candles/1/?interval=1m&limit=1000&format=csv")
    assert len(rows) == 1001


# Where a page lies


candles_asked = st.builds(
    CandlesQuery,
    interval=st.sampled_from(Interval),
    limit=st.integers(1, 5),
    format=st.just(Format.JSON),
    since=st.none() | st.integers(-3000, 100).map(lambda minutes: START + timedelta(minutes=minutes)),
    until=st.none() | st.integers(-3000, 100).map(lambda minutes: START + timedelta(minutes=minutes)),
)


@given(candles_asked, st.integers(0, 3000), st.integers(0, 59))
def test_a_span_holds_the_candles_that_begin_within_it(
    query: CandlesQuery, minutes: int, seconds: int
) -> None:
    interval, first = query.interval, START - timedelta(minutes=minutes, seconds=seconds)
    span = wanted(query, first=first, now=START)
    every = range(interval.number_of(first), interval.number_of(START) + 1)
    times = {number: interval.time_of(number) for number in every}
    assert [*range(span.start, span.end)] == [
        number
        for number, time in times.items()
        if (query.since is None or time >= query.since) and (query.until is None or time < query.until)
    ]


@given(st.integers(0, 8), st.integers(1, 5), st.integers(-2, 12), st.integers(0, 1), st.booleans())
def test_a_page_lies_next_to_its_cursor(
    count: int,
    limit: int,
    place: int,
    beside: int,
    backwards: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    day = timedelta(days=1)
    key = micros(Interval.DAY.time_of(100) + place * day) + beside
    span = placed(Span(100, 100 + count), Interval.DAY, Cursor((key, 0), backwards=backwards), limit)
    later = [one for one in range(100, 100 + count) if micros(Interval.DAY.time_of(one)) > key]
    earlier = [one for one in range(100, 100 + count) if micros(Interval.DAY.time_of(one)) < key]
    assert [*range(span.start, span.end)] == (later[:limit] if backwards else earlier[-limit:])


def test_a_candle_is_encoded_as_its_schema_dumps_it() -> None:
    price = Decimal("1E-30")
    for candle in (Candle(START), Candle(START, price, price, price, price, 7, frozenset({"simulator"}))):
        assert candle_json(candle) == CandleSchema().dump(candle)

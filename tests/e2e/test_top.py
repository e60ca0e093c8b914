"""The top list through real processes: two sources, two workers, one list."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import aiohttp
import pytest

from shared.domain.times import iso
from tests.e2e.processes import Stack
from tests.e2e.top import FORMS, LENGTH, PAGES, PROCESSES, STANDALONE, Answer, Service, ask, listed, start

SLOW_S = 1.0
"""What each source takes."""
LIFE_S = 2.0
"""Of a list."""
EURO = 2790


def csv_of(answer: Answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.body.decode())))


@pytest.mark.parametrize("form", FORMS)
async def test_the_list_in_all_its_forms(stack: Stack, http: aiohttp.ClientSession, form: str) -> None:
    service = await start(stack, http, form)
    whole = await listed(http, service.api)
    sources = whole.data["sources"]
    assert sources["ranking"] == "cryptocompare"
    assert sources["prices"][0] == "coinmarketcap"
    assert {*sources["prices"]} == {row["source"] for row in whole.rows}
    assert len({*whole.order}) == LENGTH

    table = await ask(http, service.api, limit=LENGTH, format="csv")
    assert table.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in table.headers["Content-Disposition"]
    head, *lines = csv_of(table)
    assert head == ["Rank", "Symbol", "Price USD"]
    assert [line[:2] for line in lines] == [[str(row["rank"]), row["symbol"]] for row in whole.rows]
    assert all(line[2] for line in lines)

    for_curl = await ask(http, service.api, "/", headers={"Accept": "*/*"}, limit=3)
    assert for_curl.headers["Content-Type"].startswith("text/csv")
    assert [line[:2] for line in csv_of(for_curl)] == [head[:2], *(line[:2] for line in lines[:3])]
    as_json = await ask(http, service.api, "/", limit=3, format="json")
    assert as_json.order == whole.order[:3]


BAD = (
    ("limit", "0"),
    ("limit", "-1"),
    ("limit", "5001"),
    ("limit", "1e3"),
    ("limit", ""),
    ("datetime", "2024-02-30T00:00:00Z"),
    ("datetime", "0001-01-01T00:00:00+14:00"),
    ("datetime", "1e20"),
    ("datetime", "-1"),
    ("datetime", "2999-01-01"),
    ("format", "xml"),
    ("format", "../../etc/passwd"),
    ("limits", "3"),
)


async def test_bad_parameters_are_named_and_before_the_first_data_there_are_no_rows(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    service = await start(stack, http, STANDALONE)
    for path in ("/api/top/", "/"):
        problems = [await ask(http, service.api, f"{path}?{urlencode({name: value})}") for name, value in BAD]
        assert [problem.status for problem in problems] == [400] * len(BAD)
        assert [[*problem.data["errors"]] for problem in problems] == [[name] for name, _ in BAD]
    await listed(http, service.api)
    for moment in (iso(datetime.now(UTC) - timedelta(days=1)), "0"):
        before = await ask(http, service.api, datetime=moment)
        assert (before.status, before.rows) == (200, [])
        table = await ask(http, service.api, datetime=moment, format="csv")
        assert csv_of(table) == [["Rank", "Symbol", "Price USD"]]


async def assert_one_visit_side_by_side(
    http: aiohttp.ClientSession, service: Service, *, most_price_calls: int
) -> None:
    """100 callers at once, over all API processes: both sources are asked before either answers, so nobody waits for one after
    the other."""
    began = datetime.now(UTC)
    apis = service.apis
    answers = await asyncio.gather(*(ask(http, apis[n % len(apis)], limit=LENGTH) for n in range(100)))
    assert [answer.status for answer in answers] == [200] * 100
    assert [row for answer in answers for row in answer.rows if not row["price_usd"]] == []
    assert all(answer.is_whole() and not answer.data["stale"] for answer in answers)
    # Listings or quotes; what fiat currencies cost is asked for whenever it is due.
    prices = [call for call in await service.coinmarketcap.calls("s/latest") if EURO not in call.ids]
    pages = await service.cryptocompare.calls("totalvolfull")
    first = min(call.time for call in (*prices, *pages) if call.time >= began)
    together = timedelta(seconds=SLOW_S)
    # Renewed ahead of its age it is not before half of its life is over.
    most = together + timedelta(seconds=LIFE_S / 2)
    assert len([call for call in pages if first <= call.time < first + most]) == PAGES
    assert len([call for call in pages if first <= call.time < first + together]) == PAGES
    assert 1 <= len([call for call in prices if first <= call.time < first + together]) <= most_price_calls


@pytest.mark.parametrize("form", FORMS)
async def test_a_cold_list_and_one_that_is_due_take_one_visit_to_both_sources_side_by_side(
    stack: Stack, http: aiohttp.ClientSession, form: str
) -> None:
    service = await start(stack, http, form, apis=2, is_cold=True, env={"CACHE_TTL_SECONDS": f"{LIFE_S:.0f}"})
    for vendor in (service.coinmarketcap, service.cryptocompare):
        await vendor.fault(kind="latency", ms=1000 * SLOW_S)
    await assert_one_visit_side_by_side(http, service, most_price_calls=1)
    await service.quiet(3)
    await assert_one_visit_side_by_side(http, service, most_price_calls=2)
    assert (await ask(http, service.api, limit=LENGTH)).data["sources"]["ranking"] == "cryptocompare"


async def test_while_it_is_in_demand_nobody_waits_for_a_source(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    latency, life = 0.7, 6.0
    service = await start(stack, http, PROCESSES, env={"CACHE_TTL_SECONDS": f"{life:.0f}"})
    await listed(http, service.api)
    for vendor in (service.coinmarketcap, service.cryptocompare):
        await vendor.fault(kind="latency", ms=1000 * latency)
    renewed = len(await service.cryptocompare.calls())
    answers = []
    while len(await service.cryptocompare.calls()) < renewed + 2 * PAGES:
        answers.append(await ask(http, service.api, limit=LENGTH))
        await asyncio.sleep(0.02)
    assert all(answer.is_whole() and not answer.data["stale"] for answer in answers)
    assert [answer.seconds for answer in answers if answer.seconds >= latency] == []
    assert all(int(answer.headers["Age"]) <= life for answer in answers)


@pytest.mark.parametrize("form", FORMS)
async def test_without_a_key_for_cryptocompare_one_visit_to_the_other_serves_ranking_and_prices(
    stack: Stack, http: aiohttp.ClientSession, form: str
) -> None:
    service = await start(stack, http, form, env={"CRYPTOCOMPARE_API_KEY": "", "CACHE_TTL_SECONDS": "2"})
    first = await listed(http, service.api)
    assert first.data["sources"] == {"ranking": "coinmarketcap", "prices": ["coinmarketcap"]}
    await service.quiet(3)
    began = datetime.now(UTC)
    again = await ask(http, service.api, limit=LENGTH)
    ended = datetime.now(UTC)
    assert again.is_whole()
    assert again.rows[0]["actual_date"] > first.rows[0]["actual_date"]
    [call] = [one for one in await service.coinmarketcap.calls() if began <= one.time < ended]
    assert "listings" in call.path
    assert await service.cryptocompare.calls() == []

"""Lists as pages: every row once, both ways, with the filters carried along."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.currency import CurrencyDetail, CurrencyKind
from tests.api.rig import START, Rig, coin, observed, renew_catalog


async def walked(rig: Rig, path: str, *, link: str = "next") -> tuple[list[Any], str]:
    """All rows from here on, and the path of the last page."""
    rows: list[Any] = []
    while True:
        page = await rig.get(path)
        rows = rows + page["results"] if link == "next" else page["results"] + rows
        if page[link] is None:
            return rows, path
        path = page[link]


async def history(rig: Rig, count: int) -> list[int]:
    """Rates of bitcoin, a minute apart, two of them at the same time; their ids, newest first."""
    ids = []
    for number in range(count):
        at = START - timedelta(days=1) + timedelta(minutes=number - number % 2)
        (rate,) = await rig.store(observed(price=str(number + 1), observed_at=at))
        ids.append(rate.id)
    return sorted(ids, reverse=True)


@pytest.mark.parametrize("path", ["/api/ratescurrency/", "/api/ratescurrency/1/"])
@pytest.mark.parametrize("limit", [1, 3, 7, 8, 1000])
async def test_walking_to_the_end_and_back_gives_every_rate_once_newest_first(
    rig: Rig, path: str, limit: int
) -> None:
    ids = await history(rig, 7)
    forwards, last = await walked(rig, f"{path}?limit={limit}")
    assert [row["id"] for row in forwards] == ids
    backwards, _ = await walked(rig, last, link="previous")
    assert backwards == forwards


async def test_pages_carry_all_filters_over(rig: Rig) -> None:
    await history(rig, 4)
    path = "/api/ratescurrency/1/?limit=1&from=2026-11-19&to=2026-11-21T00:00:00%2B01:00&source=coinmarketcap"
    page = await rig.get(path)
    assert page["next"].startswith(
        "/api/ratescurrency/1/?limit=1&from=2026-11-19&to=2026-11-21T00%3A00%3A00%2B01"
    )
    assert "source=coinmarketcap" in page["next"]
    assert page["previous"] is None
    rows, _ = await walked(rig, path)
    assert len(rows) == 4


async def test_from_is_inclusive_and_to_exclusive(rig: Rig) -> None:
    await history(rig, 6)
    begin = START - timedelta(days=1) + timedelta(minutes=2)
    end = begin + timedelta(minutes=2)
    unix = f"/api/ratescurrency/?from={begin.timestamp()}&to={end.timestamp()}"
    iso = f"/api/ratescurrency/?from={begin.isoformat()[:-6]}&to={end.isoformat()[:-6]}Z"
    for path in (unix, iso):
        assert [row["price_usd"] for row in (await rig.get(path))["results"]] == ["4", "3"]


async def test_an_interval_that_ends_before_it_begins_is_an_empty_page(rig: Rig) -> None:
    await history(rig, 2)
    empty: dict[str, object] = {"next": None, "previous": None, "results": []}
    assert await rig.get("/api/ratescurrency/?from=2026-11-21&to=2026-11-01") == empty


async def test_source_filters(rig: Rig) -> None:
    await rig.store(observed(price="1"), observed(price="2", source="simulator"))
    page = await rig.get("/api/ratescurrency/?source=simulator")
    assert [row["source"] for row in page["results"]] == ["simulator"]


async def test_a_known_currency_without_rates_is_an_empty_page_and_an_unknown_one_404(rig: Rig) -> None:
    assert (await rig.get("/api/ratescurrency/1027/"))["results"] == []
    await rig.get("/api/ratescurrency/777/", status=404)


async def test_rows_say_whether_they_are_stale(rig: Rig) -> None:
    await rig.store(observed())
    assert (await rig.get("/api/ratescurrency/"))["results"][0]["stale"] is False
    rig.clock.advance(seconds=901)
    assert (await rig.get("/api/ratescurrency/"))["results"][0]["stale"] is True


async def test_one_rate_by_its_row_id(rig: Rig) -> None:
    (rate,) = await rig.store(observed())
    assert (await rig.get(f"/api/ratecurrency/{rate.id}/")) == await rig.get("/api/lastrate/1/")
    await rig.get(f"/api/ratecurrency/{rate.id + 1}/", status=404)


# Currencies


async def test_currencies_come_by_rank_then_id(rig: Rig) -> None:
    rows, last = await walked(rig, "/api/currencies/?limit=2")
    assert [row["id"] for row in rows] == [1, 1027, 5, 6, 2781]
    assert rows[0] == {
        "id": 1,
        "name": "Bitcoin",
        "symbol": "BTC",
        "slug": "btc-1",
        "rank": 1,
        "is_active": True,
    }
    assert rows[3]["rank"] is None
    backwards, _ = await walked(rig, last, link="previous")
    assert backwards == rows


async def test_symbols_are_no_identity(rig: Rig) -> None:
    rows, _ = await walked(rig, "/api/currencies/?symbol=dup&limit=1")
    assert [row["id"] for row in rows] == [5, 6]


async def test_text_finds_parts_of_names_symbols_and_slugs(rig: Rig) -> None:
    for text, expected in (("ITCO", [1]), ("eth", [1027]), ("dup-6", [6]), ("%25", []), ("_", [])):
        page = await rig.get(f"/api/currencies/?q={text}")
        assert [row["id"] for row in page["results"]] == expected, text


async def test_symbols_of_any_alphabet_are_found(rig: Rig) -> None:
    await renew_catalog(rig, coin(7, "币安人生", 1))
    page = await rig.get("/api/currencies/?symbol=币安人生")
    assert [row["id"] for row in page["results"]] == [7]


async def test_the_detail_has_what_is_known_and_the_last_rate(rig: Rig) -> None:
    body = await rig.get("/api/currencies/1/")
    assert body["kind"] == "crypto"
    assert body["first_seen"] == "2010-07-13T00:00:00.000Z"
    assert body["last_rate"] is None
    assert isinstance(body["aliases"], list)
    await rig.store(observed())
    assert (await rig.get("/api/currencies/1/"))["last_rate"] == await rig.get("/api/lastrate/1/")


async def test_an_unknown_currency_has_no_detail(rig: Rig) -> None:
    assert (await rig.get("/api/currencies/777/", status=404))["title"] == "No such currency"


async def test_fiat_currencies_are_currencies(rig: Rig) -> None:
    await rig.storage.record_catalog(
        CurrencyKind.FIAT, [coin(2781, "USD", name="US Dollar")], stored_at=rig.clock()
    )
    assert (await rig.get("/api/currencies/?symbol=USD"))["results"][0]["rank"] is None


async def test_a_local_currency_that_was_listed_later_leads_to_the_listed_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = await rig.storage.currency(5)
    assert detail is not None

    async def merged(_currency_id: int) -> CurrencyDetail:
        return replace(detail, merged_into=1027)

    monkeypatch.setattr(rig.storage, "currency", merged)
    status, headers = await rig.headers("/api/currencies/5/")
    assert (status, headers["Location"]) == (308, "/api/currencies/1027/")

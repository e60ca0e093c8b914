"""The list of now as clients see it: both forms, both paths, and what it says of itself."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import orjson
import pytest

from api.examples import TOP
from api.schemas import TopSchema
from api.top.formats import ENCODINGS, Facts, Format
from shared.domain.currency import CurrencyKind
from shared.domain.ranking import TopRow
from tests.api.conftest import StartRig
from tests.api.rig import START, Rig, coin, observed

PATH = "/api/top/"
FACTS = Facts(moment=START, is_stale=False, ranking_source="cryptocompare", price_sources=("coinmarketcap",))


async def text_of(rig: Rig, path: str, **headers: str) -> str:
    async with rig.client.get(path, headers=headers) as response:
        assert response.status == 200, await response.text()
        return await response.text()


async def test_the_list_has_every_field(rig: Rig) -> None:
    rig.worker.ranked = [1027, 1]
    body = await rig.get(PATH)
    assert body == {
        "datetime": "2026-11-20T12:00:00.250Z",
        "stale": False,
        "sources": {"ranking": "coinmarketcap", "prices": ["coinmarketcap"]},
        "results": [
            {
                "rank": 1,
                "currency": 1027,
                "symbol": "ETH",
                "name": "Ethereum",
                "price_usd": "101",
                "source": "coinmarketcap",
                "actual_date": "2026-11-20T12:00:00.250Z",
            },
            {
                "rank": 2,
                "currency": 1,
                "symbol": "BTC",
                "name": "Bitcoin",
                "price_usd": "101",
                "source": "coinmarketcap",
                "actual_date": "2026-11-20T12:00:00.250Z",
            },
        ],
    }


async def test_csv_has_rank_symbol_and_price(rig: Rig) -> None:
    async with rig.client.get(f"{PATH}?limit=2&format=csv") as response:
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert response.headers["Content-Disposition"] == 'attachment; filename="freshrate-top-2.csv"'
        assert response.headers["Freshrate-Ranking-Source"] == "coinmarketcap"
        assert response.headers["Freshrate-Price-Sources"] == "coinmarketcap"
        assert await response.read() == b"Rank,Symbol,Price USD\r\n1,BTC,101\r\n2,ETH,101\r\n"


async def test_the_root_is_the_same_list_as_csv_unless_asked_for_as_json(rig: Rig) -> None:
    expected = await text_of(rig, f"{PATH}?limit=3&format=csv")
    assert await text_of(rig, "/?limit=3") == expected
    assert await text_of(rig, "/?limit=3", Accept="text/html") == expected
    assert await rig.get("/?limit=3&format=json") == await rig.get(f"{PATH}?limit=3")
    assert (await text_of(rig, "/")).startswith("Rank,Symbol,Price USD\r\n1,BTC,")


@pytest.mark.parametrize("accept", [None, "text/html"])
async def test_what_the_root_answers_varies_by_accept(rig: Rig, accept: str | None) -> None:
    for path in ("/", "/?limit=3", "/?limit=3"):
        _, headers = await rig.headers(path, **({"Accept": accept} if accept else {}))
        assert headers["Vary"] == "Accept"
    _, headers = await rig.headers(PATH)
    assert "Vary" not in headers


async def test_no_digit_of_a_price_is_lost(rig: Rig) -> None:
    await rig.get(PATH)
    await rig.advance(seconds=5)
    price = "0.0000000000000000000000123456789012345678"
    await rig.store(observed(price=price, observed_at=rig.clock()))
    assert (await rig.get(PATH))["results"][0]["price_usd"] == price
    assert f"1,BTC,{price}\r\n" in await text_of(rig, "/")


async def test_a_currency_without_any_price_keeps_its_rank(start: StartRig) -> None:
    rig = await start(sources=("coinmarketcap", "cryptocompare"), cryptocompare_api_key="k")
    rig.worker.ranking_source = "cryptocompare"
    await rig.storage.record_catalog(CurrencyKind.LOCAL, [coin(1_000_000_000, "NEW", None)], stored_at=START)
    rig.worker.ranked = [1, 1_000_000_000, 1027]
    rig.worker.cannot_price.add(1_000_000_000)
    rows = (await rig.get(PATH))["results"]
    assert [(row["rank"], row["symbol"], row["price_usd"] is None) for row in rows] == [
        (1, "BTC", False),
        (2, "NEW", True),
        (3, "ETH", False),
    ]
    assert (rows[1]["source"], rows[1]["actual_date"]) == (None, None)
    assert "2,NEW,\r\n" in await text_of(rig, "/")


@pytest.mark.parametrize("symbol", ["=1+1", "+1", "-1", "@SUM(A1)", "\tX", "\rX"])
def test_a_cell_that_a_spreadsheet_would_run_is_neutralised(symbol: str) -> None:
    encoding = ENCODINGS[Format.CSV]
    row = _row(symbol=symbol, price=None)
    (cells,) = csv.reader(io.StringIO(encoding.line(1, encoding.tail(row)).decode(), newline=""), strict=True)
    assert cells == ["1", f"'{symbol}", ""]


@pytest.mark.parametrize("symbol", ['A"B', "A,B", "A\nB", "$X", "ß", "'X"])
def test_any_other_symbol_comes_back_from_csv_as_it_was(symbol: str) -> None:
    encoding = ENCODINGS[Format.CSV]
    line = encoding.line(7, encoding.tail(_row(symbol=symbol, price=Decimal("1e-8")))).decode()
    assert list(csv.reader(io.StringIO(line, newline=""), strict=True)) == [["7", symbol, "0.00000001"]]


def test_a_list_is_encoded_as_its_schema_dumps_it() -> None:
    rows = [_row(rank=1, price=Decimal("1e-8")), _row(rank=2, price=None)]
    encoding = ENCODINGS[Format.JSON]
    lines = [encoding.line(row.rank, encoding.tail(row)) for row in rows]
    body = orjson.loads(encoding.head(FACTS) + b",".join(lines) + encoding.end)
    sources = {"ranking": FACTS.ranking_source, "prices": list(FACTS.price_sources)}
    assert body == TopSchema().dump({"moment": START, "stale": False, "sources": sources, "results": rows})
    assert TOP.keys() == body.keys()
    assert TOP["results"][0].keys() == body["results"][0].keys()  # type: ignore[index] # an example is untyped


def _row(*, rank: int = 1, symbol: str = "BTC", price: Decimal | None) -> TopRow:
    known = price is not None
    return TopRow(
        rank=rank,
        currency_id=1,
        symbol=symbol,
        name="Bitcoin",
        price_usd=price,
        source="coinmarketcap" if known else None,
        observed_at=START if known else None,
    )


# What it says of its age


async def test_the_headers_tell_the_age_of_the_oldest_part(rig: Rig) -> None:
    await rig.get(PATH)
    await rig.advance(seconds=20)
    await rig.store(observed(price="7", observed_at=rig.clock()))
    await rig.advance(seconds=5)
    for path in (PATH, f"{PATH}?limit=1&format=csv", f"{PATH}?limit=1&format=csv"):
        status, headers = await rig.headers(path)
        assert status == 200
        assert headers["Age"] == "25"
        assert headers["Last-Modified"] == "Fri, 20 Nov 2026 12:00:20 GMT"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["ETag"].startswith('W/"')
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Request-ID"]
        assert "Freshrate-Stale" not in headers


async def test_a_client_that_has_it_already_gets_304(rig: Rig) -> None:
    for price, path in (("7", f"{PATH}?limit=2"), ("8", "/?limit=2")):
        _, first = await rig.headers(path)
        status, again = await rig.headers(path, **{"If-None-Match": first["ETag"]})
        assert (status, again["ETag"]) == (304, first["ETag"])
        await rig.advance(seconds=1)
        await rig.store(observed(price=price, observed_at=rig.clock()))
        status, changed = await rig.headers(path, **{"If-None-Match": first["ETag"]})
        assert status == 200
        assert changed["ETag"] != first["ETag"]


async def test_a_second_is_too_coarse_to_tell_whether_a_list_changed(rig: Rig) -> None:
    _, first = await rig.headers(PATH)
    status, _ = await rig.headers(PATH, **{"If-Modified-Since": first["Last-Modified"]})
    assert status == 200


async def test_a_price_that_is_too_old_makes_the_list_stale_in_every_format(start: StartRig) -> None:
    rig = await start(stale_after_seconds=10)
    await rig.get(PATH)
    await rig.advance(seconds=10)
    assert (await rig.get(PATH))["stale"] is False
    await rig.advance(seconds=1)
    assert (await rig.get(PATH))["stale"] is True
    _, headers = await rig.headers(f"{PATH}?format=csv")
    assert headers["Freshrate-Stale"] == "true"


async def test_the_preferred_source_is_shown_while_it_is_within_the_ttl(rig: Rig) -> None:
    await rig.get(PATH)
    await rig.advance(seconds=40)
    await rig.store(observed(price="7", source="another", observed_at=rig.clock()))
    await rig.store(observed(1027, price="8", source="another", observed_at=rig.clock()))
    body = await rig.get(f"{PATH}?limit=2")
    assert [row["source"] for row in body["results"]] == ["coinmarketcap", "coinmarketcap"]
    rig.worker.ranking_hold.clear()
    rig.worker.ranked = []
    rows = rig.api.top.current
    later = rig.clock() + timedelta(seconds=30)
    answer = rows._at_once((2, Format.JSON, True), later.timestamp())
    assert [row["source"] for row in orjson.loads(answer.body)["results"]] == ["another", "another"]
    assert orjson.loads(answer.body)["sources"]["prices"] == ["another"]
    rig.worker.ranking_hold.set()

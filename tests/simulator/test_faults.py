"""Faults of the data, of the delivery, and how they are asked for."""

import json
from decimal import Decimal
from time import monotonic
from typing import Any

import aiohttp
import pytest

from simulator import faults
from simulator.faults import Kind
from tests.simulator.visitor import NOW, Visitor

QUOTES = "/v3/cryptocurrency/quotes/latest"
KEYLESS = f"/public-api{QUOTES}"
TOP = "/data/top/totalvolfull"


async def raw(visitor: Visitor, **params: str) -> tuple[aiohttp.ClientResponse, bytes]:
    async with visitor.client.get(
        KEYLESS, params=params or {"id": "1"}, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=10)
    ) as response:
        return response, await response.read()


# The data


@pytest.mark.parametrize(
    ("value", "literal"),
    [(None, "null"), (-1, "-1"), (0, "0"), ("1e400", "1e400"), ("NaN", "NaN"), ('"abc"', '"abc"')],
)
async def test_a_price_can_be_any_text(visitor: Visitor, value: object, literal: str) -> None:
    await visitor.fault(path="quotes", kind="price", value=value, ids=[1])
    _, body = await raw(visitor, id="1,1027")
    prices = [part.split(b",")[0].decode() for part in body.split(b'"price":')[1:]]
    assert prices[0] == literal
    assert Decimal(prices[1]) > 0


async def test_prices_of_all_vendors_can_be_wrong(visitor: Visitor) -> None:
    await visitor.fault(kind="price", value="-7")
    top = await visitor.ask(TOP, tsym="USD")
    assert top["Data"][0]["RAW"]["USD"]["PRICE"] == -7
    assert (await visitor.ask("/v1/latest", symbols="USD"))["rates"] == {"USD": -7}


async def test_an_id_can_be_wrong(visitor: Visitor) -> None:
    await visitor.fault(kind="wrong_id", other=42, ids=[1])
    assert [coin["id"] for coin in await visitor.quotes(id="1,1027")] == [42, 1027]
    top = await visitor.ask("/data/top/mktcapfull", tsym="USD")
    assert top["Data"][0]["CoinInfo"]["Id"] == "42"


async def test_an_id_can_be_missing(visitor: Visitor) -> None:
    await visitor.fault(path="quotes", kind="missing", ids=[1])
    assert [coin["id"] for coin in await visitor.quotes(id="1,1027")] == [1027]
    listed = await visitor.ask("/v3/cryptocurrency/listings/latest", limit=1)
    assert listed["data"][0]["id"] == 1


async def test_a_currency_that_is_missing_everywhere_appears_when_the_fault_is_deleted(
    visitor: Visitor,
) -> None:
    async def seen() -> list[bool]:
        listed = (await visitor.ask("/v3/cryptocurrency/listings/latest", limit=600))["data"]
        mapped = (await visitor.ask("/v1/cryptocurrency/map"))["data"]
        told = (await visitor.ask("/v2/cryptocurrency/info", id="1,1839", skip_invalid="true"))["data"]
        answers = (listed, mapped, await visitor.quotes(id="1,1839"), told.values())
        return [1839 in {coin["id"] for coin in coins} for coins in answers]

    await visitor.fault(kind="missing", ids=[1839])
    assert await seen() == [False] * 4
    await visitor.heal()
    assert await seen() == [True] * 4


@pytest.mark.parametrize(
    ("path", "params", "key", "nothing"),
    [
        (QUOTES, {"id": "1"}, "data", []),
        ("/v2/cryptocurrency/quotes/latest", {"symbol": "BTC"}, "data", {}),
        ("/v3/cryptocurrency/listings/latest", {}, "data", []),
        ("/v1/cryptocurrency/map", {}, "data", []),
        ("/v2/cryptocurrency/info", {"id": "1"}, "data", {}),
        (TOP, {"tsym": "USD"}, "Data", []),
        ("/data/pricemultifull", {"fsyms": "BTC", "tsyms": "USD"}, "RAW", {}),
        ("/v1/latest", {}, "rates", {}),
    ],
)
async def test_the_data_can_be_empty(
    visitor: Visitor, path: str, params: dict[str, str], key: str, nothing: object
) -> None:
    await visitor.fault(kind="empty")
    assert (await visitor.ask(path, **params))[key] == nothing


async def test_an_observation_can_stay_the_same(visitor: Visitor) -> None:
    before = await visitor.quotes(id="1")
    await visitor.fault(kind="unchanged", ids=[1])
    visitor.clock.move(seconds=5)
    frozen, moving = await visitor.quotes(id="1,1027")
    assert frozen == before[0]
    assert moving["last_updated"] == "2026-11-20T12:00:05.200Z"


@pytest.mark.parametrize(
    ("fault", "stated"),
    [
        ({"kind": "old", "seconds": 60}, "2026-11-20T11:59:00.200Z"),
        ({"kind": "old"}, "2021-11-21T12:00:00.200Z"),
        ({"kind": "future"}, "2026-11-20T13:00:00.200Z"),
    ],
)
async def test_an_observation_can_be_stated_as_older_or_newer(
    visitor: Visitor, fault: dict[str, Any], stated: str
) -> None:
    await visitor.fault(**fault)
    coin = (await visitor.quotes(id=1))[0]
    assert coin["last_updated"] == coin["quote"][0]["last_updated"] == stated


async def test_the_times_of_all_vendors_can_be_wrong(visitor: Visitor) -> None:
    await visitor.fault(kind="old", seconds=86_400)
    full = await visitor.ask("/data/pricemultifull", fsyms="BTC", tsyms="USD")
    assert full["RAW"]["BTC"]["USD"]["LASTUPDATE"] == int(NOW.timestamp()) - 86_400
    assert (await visitor.ask("/v1/latest"))["date"] == "2026-11-18"


# The delivery


@pytest.mark.parametrize(("code", "status"), [(1008, 429), (1011, 429), (500, 500), (503, 503), (403, 403)])
async def test_a_status_comes_with_the_vendors_body(visitor: Visitor, code: int, status: int) -> None:
    await visitor.fault(path="quotes", kind="status", code=code, retry_after="7")
    response, body = await raw(visitor)
    assert response.status == status
    assert response.headers["Retry-After"] == "7"
    assert json.loads(body)["status"]["error_code"] == code


async def test_frankfurter_has_errors_of_its_own(visitor: Visitor) -> None:
    await visitor.fault(kind="status", code=404)
    assert await visitor.refused(404, "/v1/latest") == {"message": "not found"}


async def test_an_answer_can_come_late(visitor: Visitor) -> None:
    await visitor.fault(kind="latency", ms=80)
    started = monotonic()
    response, body = await raw(visitor)
    assert monotonic() - started >= 0.08
    assert (response.status, json.loads(body)["data"][0]["id"]) == (200, 1)


async def test_an_answer_can_be_html(visitor: Visitor) -> None:
    await visitor.fault(kind="malformed")
    response, body = await raw(visitor)
    assert (response.status, response.content_type) == (200, "text/html")
    assert body.startswith(b"<!DOCTYPE html>")


async def test_json_can_be_cut_with_the_right_length(visitor: Visitor) -> None:
    await visitor.fault(kind="cut", length="right")
    response, body = await raw(visitor)
    assert int(response.headers["Content-Length"]) == len(body)
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


async def test_json_can_be_cut_with_the_wrong_length(visitor: Visitor) -> None:
    await visitor.fault(kind="cut")
    with pytest.raises(aiohttp.ClientPayloadError):
        await raw(visitor)


async def test_json_can_be_deep(visitor: Visitor) -> None:
    await visitor.fault(kind="deep")
    _, body = await raw(visitor)
    assert body.count(b"[") == body.count(b"]") == 100_000


async def test_an_answer_can_hang_before_it_begins(visitor: Visitor) -> None:
    await visitor.fault(kind="hang")
    with pytest.raises(TimeoutError):
        await visitor.client.get(KEYLESS, params={"id": "1"}, timeout=aiohttp.ClientTimeout(total=0.2))
    assert (await visitor.calls())["calls"][0]["status"] is None


async def test_an_answer_can_hang_in_the_middle(visitor: Visitor) -> None:
    await visitor.fault(kind="hang", stage="body")
    timeout = aiohttp.ClientTimeout(total=0.2)
    async with visitor.client.get(KEYLESS, params={"id": "1"}, timeout=timeout) as response:
        with pytest.raises(TimeoutError):
            await response.read()
    assert (await visitor.calls())["calls"][0]["status"] == 200


async def test_an_answer_can_come_byte_by_byte(visitor: Visitor) -> None:
    await visitor.fault(kind="slow", bytes_per_second=100_000)
    _, body = await raw(visitor)
    assert json.loads(body)["data"][0]["id"] == 1
    await visitor.heal()
    await visitor.fault(kind="slow")
    async with visitor.client.get(KEYLESS, params={"id": "1"}) as response:
        assert await response.content.read(1) == b"{"


async def test_an_answer_can_be_huge(visitor: Visitor) -> None:
    await visitor.fault(kind="huge", bytes=1_000_000)
    response, body = await raw(visitor)
    assert "Content-Length" not in response.headers
    assert len(body) == 1_000_009
    await visitor.heal()
    await visitor.fault(kind="huge")
    async with visitor.client.get(KEYLESS, params={"id": "1"}) as endless:
        assert len(await endless.content.readexactly(200_000)) == 200_000


async def test_an_answer_can_be_a_redirect(visitor: Visitor) -> None:
    await visitor.fault(kind="redirect", location="https://example.com/")
    response, _ = await raw(visitor)
    assert (response.status, response.headers["Location"]) == (302, "https://example.com/")


async def test_a_connection_can_be_reset(visitor: Visitor) -> None:
    await visitor.fault(kind="reset")
    with pytest.raises(aiohttp.ClientConnectionError):
        await raw(visitor)
    assert (await visitor.calls())["calls"][0]["status"] is None


# Asking for them


async def test_a_fault_strikes_as_often_as_it_should_and_one_after_the_other(visitor: Visitor) -> None:
    await visitor.fault(kind="status", code=1008, times=2)
    await visitor.fault(kind="status", code=500, times=1)
    await visitor.fault(kind="price", value=0, times=1)
    assert [(await raw(visitor))[0].status for _ in range(4)] == [429, 429, 500, 200]
    async with visitor.client.get("/faults") as response:
        assert await response.json() == []


async def test_a_fault_strikes_only_its_path_and_until_it_is_deleted(visitor: Visitor) -> None:
    await visitor.fault(path="listings", kind="malformed")
    await visitor.quotes(id=1)
    await visitor.fault(path="quotes", kind="malformed")
    assert (await raw(visitor))[0].content_type == "text/html"
    await visitor.heal()
    assert (await raw(visitor))[0].content_type == "application/json"


async def test_a_fault_of_the_delivery_strikes_only_requests_that_name_its_ids(visitor: Visitor) -> None:
    await visitor.fault(kind="malformed", ids=[1027])
    assert (await raw(visitor, id="1"))[0].content_type == "application/json"
    assert (await raw(visitor, id="1,1027"))[0].content_type == "text/html"


async def test_faults_in_force_are_listed(visitor: Visitor) -> None:
    await visitor.fault(path="quotes", kind="hang", times=3, ids=[2, 1])
    async with visitor.client.get("/faults") as response:
        assert await response.json() == [
            {"kind": "hang", "path": "quotes", "times": 3, "ids": [1, 2], "stage": "headers"}
        ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "Expecting property name"),
        ("[]", "a fault is a JSON object"),
        ("{}", "kind is one of: latency, status"),
        ('{"kind": "latency", "code": 1}', "latency has no code; it has: ms"),
        ('{"kind": "reset", "code": 1}', "reset has no code; it has: no options"),
        ('{"kind": "reset", "times": 0}', "times is a positive number"),
        ('{"kind": "reset", "times": true}', "times is a positive number"),
        ('{"kind": "reset", "ids": "1"}', "ids is a list of numbers"),
        ('{"kind": "latency", "ms": -1}', "ms is a number, not below zero"),
        ('{"kind": "hang", "stage": "middle"}', "stage is one of: body, headers"),
    ],
)
async def test_a_wrong_fault_is_refused_with_the_reason(visitor: Visitor, body: str, message: str) -> None:
    assert message in await visitor.refused_fault(body)


def test_every_kind_of_fault_is_documented() -> None:
    table = (faults.__doc__ or "").splitlines()
    assert [kind for kind in Kind if not any(line.startswith(f"{kind} ") for line in table)] == []


# The journal


async def test_calls_are_counted_and_told(visitor: Visitor) -> None:
    await visitor.quotes(id="1,1027")
    await visitor.ask("/v2/cryptocurrency/quotes/latest", symbol="BTC,ETH")
    await visitor.ask("/data/price", fsym="BTC", tsyms="USD")
    journal = await visitor.calls()
    assert journal["count"] == 3
    assert journal["calls"][0] == {
        "time": "2026-11-20T12:00:00.250Z",
        "path": QUOTES,
        "ids": [1, 1027],
        "symbols": [],
        "source": "coinmarketcap",
        "status": 200,
    }
    assert [(call["symbols"], call["source"]) for call in journal["calls"][1:]] == [
        (["BTC", "ETH"], "coinmarketcap"),
        (["BTC"], "cryptocompare"),
    ]
    async with visitor.client.delete("/calls") as response:
        assert await response.json() == {"count": 0, "calls": []}

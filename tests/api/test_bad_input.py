"""What clients send that cannot be used: the answer, and that nothing was queued."""

import io
import json

import pytest
from yarl import URL

from shared.messages import Role
from tests.api.rig import Rig, observed

BAD_IDS = [
    "0",
    "-1",
    "01",
    "+1",
    "abc",
    "1.0",
    "1e3",
    "%EF%BC%91",
    "1_0",
    "%00",
    "9223372036854775808",
    "9" * 3000,
    "1%2F..",
    "1'%20OR%201=1",
    "777",
    "%ED%A0%80",
    "1%0D%0A",
]
PATHS = [
    "/api/currencies/{}/",
    "/api/ratescurrency/{}/",
    "/api/ratecurrency/{}/",
    "/api/lastrate/{}/",
    "/api/latestrate/{}/",
]


@pytest.mark.parametrize("bad", BAD_IDS, ids=lambda bad: bad[:24])
async def test_ids_that_are_no_plain_positive_integer_are_404_and_queue_nothing(rig: Rig, bad: str) -> None:
    await rig.store(observed())
    for path in PATHS:
        url = URL(str(rig.client.make_url("/")).rstrip("/") + path.format(bad), encoded=True)
        async with rig.client.session.get(url, allow_redirects=False) as response:
            assert response.status == 404, path
            assert response.content_type == "application/problem+json"
    assert (await rig.queue.depth(Role.PRICING)).accepted == 0


BAD_QUERIES = [
    "limit=0",
    "limit=-1",
    "limit=1e9",
    "limit=1001",
    "limit=NaN",
    "limit=",
    "limit=%EF%BC%91",
    "limit=1_0",
    "limit=+5",
    "limit=1&limit=2",
    "from=2024-02-30",
    "from=0001-01-01T00:00%2B14:00",
    "from=2024-01-01T00:00+03:00",
    "from=1e20",
    "from=99999999999999",
    "from=%00",
    "from=2026-11-20T12:00:00Z%00",
    "from=",
    "to=yesterday",
    "source=nobody",
    "source=..%2F..%2Fetc%2Fpasswd",
    "cursor=%2A",
    "cursor=",
    "cursor=" + "a" * 5000,
    "cursor=bjEuMg==",
    "unknown=1",
    "Limit=1",
    "api_key=secret",
]


@pytest.mark.parametrize("query", BAD_QUERIES, ids=lambda query: query[:40])
async def test_queries_that_cannot_be_used_are_400_by_parameter(rig: Rig, query: str) -> None:
    for path in ("/api/ratescurrency/", "/api/ratescurrency/1/"):
        url = URL(str(rig.client.make_url(path)) + "?" + query, encoded=True)
        async with rig.client.session.get(url) as response:
            body = await response.json(content_type=None)
            assert response.status == 400, body
            assert body["type"] == "/problems/invalid-parameters"
            assert list(body["errors"]) == [query.partition("=")[0]]
            assert all(isinstance(text, str) for text in body["errors"][query.partition("=")[0]])


@pytest.mark.parametrize(
    "value",
    ["", "A" * 4096, "A%0D%0AB", "%00", "%ED%A0%80", "%FF", "%C4%B1", "%C3%9F", "%E2%84%AA"],
    ids=["empty", "4 KB", "CR LF", "NUL", "surrogate", "no UTF-8", "dotless i", "sharp s", "kelvin"],
)
@pytest.mark.parametrize("name", ["symbol", "q"])
async def test_search_texts_that_cannot_be_used_are_400(rig: Rig, name: str, value: str) -> None:
    url = URL(f"{rig.client.make_url('/api/currencies/')}?{name}={value}", encoded=True)
    async with rig.client.session.get(url) as response:
        body = await response.json(content_type=None)
        assert response.status == 400, body
        assert list(body["errors"]) == [name]


BAD_TOP_QUERIES = [
    "limit=0",
    "limit=-1",
    "limit=1e9",
    "limit=5001",
    "limit=NaN",
    "limit=",
    "limit=%EF%BC%91",
    "limit=1_0",
    "limit=1&limit=2",
    "datetime=2024-02-30",
    "datetime=0001-01-01T00:00%2B14:00",
    "datetime=2024-01-01T00:00+03:00",
    "datetime=1e20",
    "datetime=99999999999999",
    "datetime=-1",
    "datetime=-1.5",
    "datetime=%00",
    "datetime=2026-11-20T12:00:00Z%00junk",
    "datetime=",
    "datetime=yesterday",
    "datetime=2026-11-20T12:00:00.251Z",
    "datetime=9999-12-31T23:59:59Z",
    "datetime=1&datetime=2",
    "format=xml",
    "format=..%2F..%2Fetc%2Fpasswd",
    "format=JSON",
    "format=",
    "format=csv&format=csv",
    "symbol=BTC",
]


@pytest.mark.parametrize("query", BAD_TOP_QUERIES)
async def test_queries_for_a_top_list_that_cannot_be_used_are_400_by_parameter(rig: Rig, query: str) -> None:
    for path in ("/api/top/", "/"):
        url = URL(str(rig.client.make_url(path)) + "?" + query, encoded=True)
        async with rig.client.session.get(url) as response:
            body = await response.json(content_type=None)
            assert response.status == 400, body
            assert list(body["errors"]) == [query.partition("=")[0]]
    assert (await rig.queue.depth(Role.RANKING)).accepted == 0


async def test_an_error_for_a_top_list_says_what_the_parameter_may_be(rig: Rig) -> None:
    async def said(query: str) -> str:
        (texts,) = (await rig.get(f"/api/top/?{query}", status=400))["errors"].values()
        text: str = texts[0]
        return text

    assert await said("limit=5001") == "Must be a whole number from 1 to 5000."
    assert await said("format=xml") == "Must be one of: json, csv."
    assert await said("datetime=-1") == "Must be ISO 8601 or Unix seconds, 0 or more."
    assert (
        await said("datetime=2027-01-01") == "Must not be in the future. It is 2026-11-20T12:00:00.250Z here."
    )
    assert "format" in await said("symbol=BTC")


BAD_QUOTES_QUERIES = [
    ("", "symbol"),
    ("convert=EUR", "symbol"),
    ("symbol=BTC&id=1", "id"),
    ("symbol=", "symbol"),
    ("symbol=,", "symbol"),
    ("symbol=BTC,", "symbol"),
    ("symbol=BTC,,ETH", "symbol"),
    ("symbol=%20", "symbol"),
    ("symbol=" + "A" * 4096, "symbol"),
    ("symbol=" + ",".join(["A"] * 2048), "symbol"),
    ("symbol=" + ",".join(["BTC"] * 101), "symbol"),
    ("symbol=" + ",".join(f"A{n}" for n in range(1000)), "symbol"),
    ("symbol=A%0D%0AB", "symbol"),
    ("symbol=%00", "symbol"),
    ("symbol=BTC,%00", "symbol"),
    ("symbol=%C4%B1", "symbol"),
    ("symbol=BTC,%C3%9F", "symbol"),
    ("symbol=%ED%A0%80", "symbol"),
    ("symbol=%FF", "symbol"),
    ("symbol=BTC&symbol=ETH", "symbol"),
    ("symbol=BTC&Symbol=ETH", "Symbol"),
    ("symbol=BTC&currency=EUR", "currency"),
    ("id=", "id"),
    ("id=0", "id"),
    ("id=-1", "id"),
    ("id=01", "id"),
    ("id=1,", "id"),
    ("id=1_0", "id"),
    ("id=BTC", "id"),
    ("id=1.0", "id"),
    ("id=%EF%BC%91", "id"),
    ("id=1%0A", "id"),
    ("id=9223372036854775808", "id"),
    ("id=" + "9" * 3000, "id"),
    ("id=" + ",".join(["1"] * 101), "id"),
    ("id=1&id=2", "id"),
    ("symbol=BTC&convert=", "convert"),
    ("symbol=BTC&convert=EUR,", "convert"),
    ("symbol=BTC&convert=" + ",".join(["EUR"] * 11), "convert"),
    ("symbol=BTC&convert=" + "E" * 4096, "convert"),
    ("symbol=BTC&convert=" + ",".join(f"A{n}" for n in range(1000)), "convert"),
    ("symbol=BTC&convert=A%0D%0AB", "convert"),
    ("symbol=BTC&convert=%00", "convert"),
    ("symbol=BTC&convert=%C4%B1", "convert"),
    ("symbol=BTC&convert=%C3%9F", "convert"),
    ("symbol=BTC&convert=%ED%A0%80", "convert"),
    ("symbol=BTC&convert=EUR&convert=ETH", "convert"),
    ("symbol=BTC&convert=EUR&convert_id=2790", "convert_id"),
    ("symbol=BTC&convert_id=EUR", "convert_id"),
    ("symbol=BTC&convert_id=" + ",".join(["1"] * 11), "convert_id"),
    *(
        (f"symbol=BTC&amount={amount}", "amount")
        for amount in (
            "",
            "-1",
            "%2B1",
            "+1",
            "1e3",
            "1E3",
            "NaN",
            "Infinity",
            "1,5",
            ".5",
            "5.",
            "1_0",
            "0x1",
            "%EF%BC%91",
            "1%0A",
            "1" * 31,
            "0." + "1" * 31,
            "1" * 20 + "." + "1" * 21,
            "1" * 4096,
        )
    ),
    ("symbol=BTC&amount=1&amount=2", "amount"),
    ("symbol=BTC&max_age=-1", "max_age"),
    ("symbol=BTC&max_age=86401", "max_age"),
    ("symbol=BTC&max_age=1.5", "max_age"),
    ("symbol=BTC&max_age=", "max_age"),
    ("symbol=BTC&max_age=5&datetime=0", "max_age"),
    ("symbol=BTC&datetime=2024-02-30", "datetime"),
    ("symbol=BTC&datetime=0001-01-01T00:00%2B14:00", "datetime"),
    ("symbol=BTC&datetime=2024-01-01T00:00+03:00", "datetime"),
    ("symbol=BTC&datetime=1e20", "datetime"),
    ("symbol=BTC&datetime=-1", "datetime"),
    ("symbol=BTC&datetime=", "datetime"),
    ("symbol=BTC&datetime=2026-11-20T12:00:00.251Z", "datetime"),
    ("symbol=BTC&datetime=9999-12-31T23:59:59Z", "datetime"),
]


@pytest.mark.parametrize(("query", "name"), BAD_QUOTES_QUERIES, ids=lambda value: value[:50])
async def test_queries_for_quotes_that_cannot_be_used_are_400_by_parameter(
    rig: Rig, query: str, name: str
) -> None:
    await rig.store(observed())
    url = URL(f"{rig.client.make_url('/api/quotes/')}?{query}", encoded=True)
    rig.api.request_log.flush()
    written = rig.api.request_log._stream = io.StringIO()
    for _ in range(2):
        async with rig.client.session.get(url) as response:
            body = await response.json(content_type=None)
            assert response.status == 400, body
            assert list(body["errors"]) == [name]
            assert all(len(text) < 300 for text in body["errors"][name])
    rig.api.request_log.flush()
    logged = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["path"], line["status"]) for line in logged] == [("/api/quotes/", 400)] * 2
    assert (await rig.queue.depth(Role.PRICING)).accepted == 0
    assert (await rig.queue.depth(Role.CATALOG)).accepted == 0


async def test_an_error_for_quotes_says_what_to_do(rig: Rig) -> None:
    async def said(query: str) -> str:
        (texts,) = (await rig.get(f"/api/quotes/?{query}", status=400))["errors"].values()
        text: str = texts[0]
        return text

    assert await said("") == "Is needed, or `id`. Say which currencies, as symbol=BTC,ETH."
    assert await said("symbol=A&id=1") == "Cannot be given together with `symbol`. Leave one of both out."
    assert (
        await said("symbol=A,,B") == "Has an empty place. Write values with a comma between two, such as A,B."
    )
    assert await said("id=x") == "Must be ids of currencies: whole numbers from 1, such as 1,1027."
    many = ",".join(["A"] * 11)
    assert await said(f"symbol=A&convert={many}") == "Names 11; at most 10 may be asked for at once."
    assert await said("symbol=A&amount=1e3") == (
        "Must be a plain decimal such as 1.5, without sign and exponent: at most 30 digits before the point, 30 after it, "
        "and 40 altogether."
    )
    assert await said("symbol=A&max_age=x") == "Must be a whole number from 0 to 86400."
    assert "convert_id" in await said("symbol=A&to=EUR")


async def test_a_plus_that_arrived_as_a_blank_is_explained(rig: Rig) -> None:
    url = URL(f"{rig.client.make_url('/api/ratescurrency/')}?from=2024-01-01T00:00+03:00", encoded=True)
    async with rig.client.session.get(url) as response:
        assert "%2B" in (await response.json(content_type=None))["errors"]["from"][0]


@pytest.mark.parametrize("value", ["-1", "86401", "1.5", "", "fresh"])
async def test_a_max_age_that_cannot_be_used_is_400(rig: Rig, value: str) -> None:
    await rig.store(observed())
    body = await rig.get(f"/api/lastrate/1/?max_age={value}", status=400)
    assert list(body["errors"]) == ["max_age"]


@pytest.mark.parametrize(
    "path",
    ["/api/lastrate/1/", "/api/latestrate/1/", "/api/ratecurrency/1/", "/health/live", "/metrics", "/"],
)
async def test_unknown_parameters_are_400_everywhere(rig: Rig, path: str) -> None:
    await rig.store(observed())
    assert "callback" in (await rig.get(f"{path}?callback=x", status=400))["errors"]


async def test_an_enormous_number_of_parameters_is_400(rig: Rig) -> None:
    query = "&".join(f"p{n}=1" for n in range(800))
    assert len((await rig.get(f"/api/ratescurrency/?{query}", status=400))["errors"]) == 800


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_405_with_allow(rig: Rig, method: str) -> None:
    async with rig.client.request(method, "/api/lastrate/1/") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET,HEAD"
        assert response.content_type == "application/problem+json"


async def test_a_change_from_a_foreign_origin_is_403(rig: Rig) -> None:
    async with rig.client.post("/api/lastrate/1/", headers={"Origin": "https://evil.example"}) as response:
        assert response.status == 403
        assert (await response.json(content_type=None))["type"] == "/problems/foreign-origin"


@pytest.mark.parametrize(
    "origin", ["null", "http://127.0.0.1", "https://127.0.0.1:1", "nonsense", "http://[x"]
)
async def test_whatever_is_not_our_origin_is_foreign(rig: Rig, origin: str) -> None:
    async with rig.client.post("/api/lastrate/1/", headers={"Origin": origin}) as response:
        assert response.status == 403


async def test_our_own_origin_is_not_foreign(rig: Rig) -> None:
    origin = str(rig.client.make_url("/")).rstrip("/")
    async with rig.client.post("/api/lastrate/1/", headers={"Origin": origin}) as response:
        assert response.status == 405


async def test_reading_from_a_foreign_origin_is_allowed(rig: Rig) -> None:
    await rig.store(observed())
    rate = await rig.get("/api/lastrate/1/", Origin="https://elsewhere.example")
    assert rate["currency"] == 1


async def test_paths_without_their_slash_lead_to_it(rig: Rig) -> None:
    for path in ("/api/currencies", "/api/lastrate/1", "/api/docs", "/services/requestcurrency/1"):
        status, headers = await rig.headers(f"{path}?a=b%26c")
        assert status == 308
        assert headers["Location"] == f"{path}/?a=b%26c"


@pytest.mark.parametrize("path", ["/metrics/", "/health/live/", "/api/openapi.json/", "/nowhere"])
async def test_other_addresses_are_404_problems(rig: Rig, path: str) -> None:
    body = await rig.get(path, status=404)
    assert body["title"] == "Not Found"
    assert "/api/docs/" in body["detail"]


async def test_an_unknown_parameter_is_told_those_that_exist(rig: Rig) -> None:
    body = await rig.get("/api/ratescurrency/?limits=5", status=400)
    assert "limit" in body["errors"]["limits"][0]
    assert "cursor" in body["errors"]["limits"][0]


async def test_an_expectation_that_nobody_can_meet_is_a_problem(rig: Rig) -> None:
    async with rig.client.session.get(
        rig.client.make_url("/api/currencies/"), headers={"Expect": "foo"}
    ) as response:
        assert response.status == 417
        assert response.content_type == "application/problem+json"

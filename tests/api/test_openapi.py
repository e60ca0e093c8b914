"""The OpenAPI document and the page that shows it."""

import re
import subprocess
import sys
from typing import Any

import pytest
from openapi_spec_validator import validate

from api.openapi import openapi_document
from api.routes import ROUTES
from tests.api.conftest import StartRig
from tests.api.rig import Rig

SOCKET = "/api/ws/"
"""Answers no 200, but becomes a WebSocket."""


@pytest.fixture
async def document(rig: Rig) -> Any:
    return await rig.get("/api/openapi.json")


async def test_it_is_valid_openapi_3_1(document: Any) -> None:
    validate(document)
    assert document["openapi"] == "3.1.0"


async def test_every_route_of_the_application_is_in_the_table_and_the_document(
    rig: Rig, document: Any
) -> None:
    documented = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    documented = {one for one in documented if one[1] != "PARAMETERS"}
    expected = {(route.path, route.method) for route in ROUTES if route.is_documented}
    assert documented == expected
    routed = {
        route.resource.canonical
        for route in rig.client.server.app.router.routes()  # type: ignore[attr-defined] # the rig's server has it
        if route.resource and route.method == "GET"
    }
    assert routed == {route.path for route in ROUTES}


def test_only_files_of_pages_are_left_out() -> None:
    hidden = {route.path for route in ROUTES if not route.is_documented}
    assert hidden == {"/api/docs/{asset}", "/assets/{digest}/{asset}"}


async def test_every_json_answer_has_a_schema_and_an_example(document: Any) -> None:
    for path, item in document["paths"].items():
        if path == SOCKET:
            continue
        content = item["get"]["responses"]["200"]["content"]
        media = content.get("application/json")
        if media and path != "/api/openapi.json":
            assert "$ref" in media["schema"], path
            assert "example" in media, path


async def test_decimals_are_text_and_null_is_allowed_where_it_occurs(document: Any) -> None:
    rate = document["components"]["schemas"]["Rate"]["properties"]
    assert rate["price_usd"]["type"] == "string"
    assert rate["price_usd"]["format"] == "decimal"
    assert rate["volume_24h"]["type"] == ["string", "null"]
    assert rate["percent_change_1h"]["type"] == ["number", "null"]


async def test_what_needs_a_key_says_so(document: Any) -> None:
    operation = document["paths"]["/services/requestcurrency/{currency_id}/"]["get"]
    assert operation["security"] == [{"apiKey": []}, {"bearer": []}]
    assert "401" in operation["responses"]
    assert "security" not in document["paths"]["/api/lastrate/{currency_id}/"]["get"]


async def test_errors_are_problems(document: Any) -> None:
    for item in document["paths"].values():
        for status, response in item["get"]["responses"].items():
            if status.startswith(("4", "5")) and "application/json" not in response["content"]:
                assert list(response["content"]) == ["application/problem+json"]


def test_operations_have_names_of_their_own() -> None:
    document = openapi_document(ROUTES)
    names = [item["get"]["operationId"] for item in document["paths"].values()]
    assert len(set(names)) == len(names)


# The page


async def test_the_page_loads_only_from_here_and_has_no_inline_script(rig: Rig) -> None:
    async with rig.client.get("/api/docs/") as response:
        text = await response.text()
        policy = response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert re.findall(r"<script(?![^>]*src=)", text) == []
    sources = re.findall(r'(?:<script src|<link [^>]*href)="([^"]+)"', text)
    assert len(sources) >= 5
    for source in sources:
        assert source.startswith("/api/")
        status, headers = await rig.headers(source)
        assert status == 200, source
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_assets_are_not_sent_twice(rig: Rig) -> None:
    _, headers = await rig.headers("/api/docs/swagger-ui.css")
    assert headers["Content-Type"] == "text/css"
    again = await rig.headers("/api/docs/swagger-ui.css", **{"If-None-Match": headers["ETag"]})
    assert again[0] == 304


@pytest.mark.parametrize("name", ["page.html", "..%2Fpage.js", "swagger-editor.js", "%00", "nothing"])
async def test_other_files_are_not_served(rig: Rig, name: str) -> None:
    assert (await rig.headers(f"/api/docs/{name}"))[0] in {404, 308}


async def test_simulated_rates_are_announced_on_the_page(start: StartRig) -> None:
    simulated = await start(sources=("simulator",))
    assert "Simulated rates" in await (await simulated.client.get("/api/docs/")).text()


async def test_real_rates_need_no_banner(rig: Rig) -> None:
    assert "Simulated rates" not in await (await rig.client.get("/api/docs/")).text()


async def test_the_top_list_has_both_media_types_and_an_example_of_each(document: Any) -> None:
    for path in ("/api/top/", "/"):
        operation = document["paths"][path]["get"]
        content = operation["responses"]["200"]["content"]
        assert content["application/json"]["example"]["results"][0]["rank"] == 1
        assert content["text/csv"]["example"].startswith("Rank,Symbol,Price USD")
        parameters = {one["name"]: one["schema"] for one in operation["parameters"]}
        assert (parameters["limit"]["minimum"], parameters["limit"]["maximum"]) == (1, 5000)
        assert parameters["format"]["enum"] == ["json", "csv"]
        assert parameters["format"]["default"] == ("json" if path == "/api/top/" else "csv")


async def test_quotes_publish_what_their_parameters_may_be_and_what_their_headers_say(document: Any) -> None:
    operation = document["paths"]["/api/quotes/"]["get"]
    parameters = {one["name"]: one["schema"] for one in operation["parameters"]}
    assert parameters.keys() == {"symbol", "id", "convert", "convert_id", "amount", "datetime", "max_age"}
    assert parameters["symbol"]["type"] == "string"
    ids = re.compile(parameters["id"]["pattern"])
    assert ids.search("1, 1027")
    assert not any(ids.search(text) for text in ("", "0", "1,", "a", ",".join(["1"] * 101)))
    amounts = re.compile(parameters["amount"]["pattern"])
    assert amounts.search("1.5")
    assert not any(amounts.search(text) for text in ("-1", "1e3", ".5", "1" * 31))
    assert (parameters["max_age"]["minimum"], parameters["max_age"]["maximum"]) == (0, 86_400)
    answers = operation["responses"]
    assert {"Cache-Status", "Age", "ETag", "Freshrate-Stale"} == answers["200"]["headers"].keys()
    assert "detail=upstream" in answers["200"]["headers"]["Cache-Status"]["description"]
    assert {"304", "400", "404", "429", "502", "503", "504"} < answers.keys()
    schemas = document["components"]["schemas"]
    unknown = {"type": ["string", "integer"]}
    assert schemas["Quotes"]["properties"]["unknown"]["items"] == unknown
    assert schemas["Problem"]["properties"]["unknown"]["items"] == unknown
    assert "unknown" in schemas["Quotes"]["required"]
    assert "unknown" not in schemas["Problem"]["required"]
    assert schemas["Quote"]["properties"]["price"]["type"] == ["string", "null"]


async def test_the_detail_of_a_currency_publishes_its_profile(document: Any) -> None:
    detail = document["components"]["schemas"]["CurrencyDetail"]
    supply, links = detail["properties"]["max_supply"], detail["properties"]["links"]
    assert (supply["type"], supply["format"]) == (["string", "null"], "decimal")
    assert links["additionalProperties"] == {"type": "array", "items": {"type": "string"}}
    assert {"tags", "links", "circulating_supply"} < set(detail["required"])


async def test_moments_are_published_as_what_every_client_knows(document: Any) -> None:
    def moment(path: str, name: str) -> Any:
        (schema,) = (
            one["schema"] for one in document["paths"][path]["get"]["parameters"] if one["name"] == name
        )
        return schema

    seconds = r"[0-9]{1,10}(\.[0-9]{1,6})?$"
    for path, name, sign in (
        ("/api/ratescurrency/", "from", "-?"),
        ("/api/top/", "datetime", ""),
        ("/", "datetime", ""),
        ("/api/quotes/", "datetime", ""),
    ):
        schema = moment(path, name)
        assert schema["anyOf"] == [{"format": "date-time"}, {"pattern": f"^{sign}{seconds}"}]
        assert "format" not in schema


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("9999999999.999999", 200),
        ("-9999999999", 200),
        ("10000000000", 400),
        ("20240101123", 400),
        ("2024010112345", 400),
    ],
)
async def test_unix_seconds_are_taken_as_far_as_they_are_published(rig: Rig, value: str, status: int) -> None:
    body = await rig.get(f"/api/ratescurrency/?from={value}", status=status)
    assert ("from" in body.get("errors", {})) is (status == 400)


@pytest.mark.parametrize("module", ["api.openapi", "api.routes", "api.routes.docs", "api.app"])
def test_each_module_can_be_the_first_that_is_imported(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""

import pytest

from tests.simulator.visitor import Visitor, recorded

QUOTES = "/v1/cryptocurrency/quotes/latest"


@pytest.mark.parametrize("code", [1001, 1002, 1003, 1006, 1008, 1009, 1010, 1011])
async def test_errors_read_as_the_recorded_ones(visitor: Visitor, code: int) -> None:
    real = next(
        body["status"] for body in recorded("coinmarketcap-errors") if body["status"]["error_code"] == code
    )
    http_status = {1001: 401, 1002: 401, 1003: 402, 1006: 403}.get(code, 429)
    await visitor.fault(kind="status", code=code)
    ours = await visitor.refused(http_status, QUOTES, id=1)
    assert ours["status"].keys() == real.keys()
    assert ours["status"]["error_message"] == real["error_message"]
    assert ours["status"]["credit_count"] == 0


async def test_a_request_without_a_key_is_refused(visitor: Visitor) -> None:
    async with visitor.client.get(QUOTES, params={"id": "1"}) as response:
        answer = await response.json()
    assert (response.status, answer["status"]["error_code"]) == (401, 1002)


async def test_an_invalid_key_is_refused(visitor: Visitor) -> None:
    async with visitor.client.get(QUOTES, params={"id": "1", "CMC_PRO_API_KEY": "invalid"}) as response:
        answer = await response.json()
    assert (response.status, answer["status"]["error_code"]) == (401, 1001)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"id": "abc"}, 'Invalid value for "id"'),
        ({"id": "1,999999"}, 'Invalid value for "id": "999999"'),
        ({"symbol": "IOT,BTC,BEC"}, 'Invalid values for "symbol": "IOT,BEC"'),
        (
            {"symbol": "HOT*"},
            '"symbol" should only include comma-separated alphanumeric cryptocurrency symbols',
        ),
        ({"slug": "nothing"}, 'Invalid value for "slug": "nothing"'),
        ({}, '"value" must contain at least one of [id, symbol, slug]'),
        ({"id": "1", "slug": "bitcoin"}, '"value" contains a conflict between exclusive peers [id, slug]'),
        ({"id": "1", "convert": "USD,XYZXYZ"}, 'Invalid value for "convert": "XYZXYZ"'),
        ({"id": "1", "convert_id": "7777777"}, 'Invalid value for "convert_id": "7777777"'),
        (
            {"id": "1", "convert": "USD", "convert_id": "1"},
            '"value" contains a conflict between exclusive peers [convert, convert_id]',
        ),
        ({"id": "1", "convert": ",".join(["USD"] * 121)}, '"convert" must contain at most 120 values'),
        ({"id": "999999", "skip_invalid": "maybe"}, '"skip_invalid" must be one of [true, false]'),
    ],
)
async def test_wrong_parameters_of_quotes_are_named(
    visitor: Visitor, params: dict[str, str], message: str
) -> None:
    answer = await visitor.refused(400, QUOTES, **params)
    assert answer["status"]["error_code"] == 400
    assert answer["status"]["error_message"] == message


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"limit": "0"}, '"limit" must be larger than or equal to 1'),
        ({"limit": "5001"}, '"limit" must be less than or equal to 5000'),
        ({"start": "x"}, '"start" must be a number'),
        ({"sort_dir": "up"}, '"sort_dir" must be one of [asc, desc]'),
    ],
)
async def test_wrong_parameters_of_listings_are_named(
    visitor: Visitor, params: dict[str, str], message: str
) -> None:
    answer = await visitor.refused(400, "/v3/cryptocurrency/listings/latest", **params)
    assert answer["status"]["error_message"] == message


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
async def test_unknown_values_can_be_skipped(visitor: Visitor, version: str) -> None:
    path = f"/{version}/cryptocurrency/quotes/latest"
    answer = await visitor.ask(path, symbol="IOT,BTC", skip_invalid="true")
    assert len(answer["data"]) == 1


async def test_newer_versions_skip_unknown_values_by_themselves(visitor: Visitor) -> None:
    assert [coin["id"] for coin in await visitor.quotes(id="1,999999")] == [1]


async def test_an_unknown_path_is_404_and_in_the_journal(visitor: Visitor) -> None:
    answer = await visitor.refused(404, "/v9/cryptocurrency/quotes/latest")
    assert answer["error"] == "Not Found"
    assert (await visitor.calls())["calls"][-1]["source"] == "unknown"

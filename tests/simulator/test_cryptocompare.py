from decimal import Decimal

import pytest

from tests.simulator.visitor import Visitor, differences, recorded

TOP = "/data/top/totalvolfull"


async def test_top_lists_have_the_shape_of_the_recorded_one(visitor: Visitor) -> None:
    real = recorded("cryptocompare-totalvolfull")
    del real["Data"][0]["CoinInfo"]["Rating"]
    ours = await visitor.ask(TOP, tsym="USD", limit=10)
    assert differences(ours, real) == []
    assert "rank" not in str(ours).lower()


@pytest.mark.parametrize(
    ("limit", "count"), [("1", 10), ("10", 10), ("15", 20), ("100", 100), ("500", 100), ("0", 10)]
)
async def test_pages_come_in_steps_of_ten(visitor: Visitor, limit: str, count: int) -> None:
    assert len((await visitor.ask(TOP, tsym="USD", limit=limit))["Data"]) == count


async def test_pages_follow_each_other_and_end(visitor: Visitor) -> None:
    pages = [
        (await visitor.ask("/data/top/mktcapfull", tsym="USD", limit=100, page=page))["Data"]
        for page in range(7)
    ]
    names = [element["CoinInfo"]["Name"] for page in pages for element in page]
    assert len(names) == len(set(names)) == 600
    assert names[0] == "BTC"
    assert pages[6] == []


async def test_it_has_symbols_and_ids_of_its_own(visitor: Visitor) -> None:
    pages = [await visitor.ask(TOP, tsym="USD", limit=100, page=page) for page in range(6)]
    elements = [element for page in pages for element in page["Data"]]
    by_name = {element["CoinInfo"]["Name"]: element["CoinInfo"] for element in elements}
    assert by_name.keys() >= {"IOT", "TONCOIN", "MANTLE", "HOT*", "HOT", "ONE", "ONE*"}
    assert by_name.keys().isdisjoint({"IOTA", "TON"})
    assert (by_name["BTC"]["Id"], by_name["ETH"]["Id"]) == ("1182", "7605")
    assert len({info["Id"] for info in by_name.values()}) == 600
    without_raw = [element for element in elements if "RAW" not in element]
    assert 10 < len(without_raw) < 60


async def test_prices_of_many_have_the_shape_of_the_recorded_ones(visitor: Visitor) -> None:
    full = await visitor.ask("/data/pricemultifull", fsyms="BTC", tsyms="USD")
    real = recorded("cryptocompare-pricemultifull")
    del real["RAW"]["BTC"]["USD"]["LASTTRADEID"]
    real["DISPLAY"]["BTC"]["USD"] = {"PRICE": "$ 1"}
    assert differences(full, real) == []
    multi = await visitor.ask("/data/pricemulti", fsyms="BTC,ETH,LTC,NOSUCH", tsyms="USD,EUR,CNY")
    assert differences(multi, recorded("cryptocompare-pricemulti")) == []
    assert multi.keys() == {"BTC", "ETH", "LTC"}


async def test_its_prices_are_those_of_coinmarketcap_in_fifteen_digits(visitor: Visitor) -> None:
    price = (await visitor.ask("/data/price", fsym="BTC", tsyms="USD"))["USD"]
    assert abs(price / await visitor.price(1) - 1) < Decimal("1e-14")


@pytest.mark.parametrize("path", [TOP, "/data/price", "/data/pricemulti"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Apikey invalid"}, {"Authorization": "Bearer x"}])
async def test_without_a_key_everything_is_401(visitor: Visitor, path: str, headers: dict[str, str]) -> None:
    async with visitor.client.get(path, params={"tsym": "USD"}, headers=headers) as response:
        assert response.status == 401
        assert await response.json() == recorded("cryptocompare-error-401")


async def test_the_key_may_stand_in_the_query(visitor: Visitor) -> None:
    params = {"tsym": "USD", "api_key": "any"}
    async with visitor.client.get(TOP, params=params) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        (
            "/data/price",
            {"fsym": "BTC", "tsyms": "NOSUCH"},
            "There is no data for any of the toSymbols NOSUCH .",
        ),
        ("/data/price", {"fsym": "NOSUCH", "tsyms": "USD"}, "There is no data for the symbol NOSUCH ."),
        ("/data/pricemulti", {"fsyms": "B" * 1001, "tsyms": "USD"}, "fsyms param is too long."),
        (TOP, {}, "tsym param is empty or undefined."),
        (TOP, {"tsym": "USD", "page": "x"}, "page param is not a number."),
    ],
)
async def test_wrong_parameters_are_errors_over_http_200(
    visitor: Visitor, path: str, params: dict[str, str], message: str
) -> None:
    answer = await visitor.ask(path, **params)
    assert (answer["Response"], answer["Type"], answer["Message"]) == ("Error", 2, message)
    assert answer["Data"] == {}


@pytest.mark.parametrize("code", [2, 99])
async def test_errors_have_the_shape_of_the_recorded_ones(visitor: Visitor, code: int) -> None:
    await visitor.fault(kind="status", code=code)
    real = recorded(f"cryptocompare-error-{code}")
    for key in ("Warning", "ParamWithError"):
        real.pop(key, None)
    del real["RateLimit"]
    ours = await visitor.ask(TOP, tsym="USD")
    assert differences(ours, real) == []
    assert ours["Message"] == real["Message"]


async def test_a_limit_that_is_reached_is_that_of_the_minute(visitor: Visitor) -> None:
    await visitor.fault(kind="status", code=99)
    limit = (await visitor.ask(TOP, tsym="USD"))["RateLimit"]
    over = {period for period, made in limit["calls_made"].items() if made >= limit["max_calls"][period]}
    assert over == {"second", "minute"}


async def test_a_wrong_id_is_its_own_id_of_the_other_coin(visitor: Visitor) -> None:
    await visitor.fault(kind="wrong_id", ids=[1027], other=1)
    elements = (await visitor.ask(TOP, tsym="USD", limit=10))["Data"]
    ids = {element["CoinInfo"]["Name"]: element["CoinInfo"]["Id"] for element in elements}
    assert ids["ETH"] == ids["BTC"] == "1182"

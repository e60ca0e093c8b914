from decimal import Decimal
from typing import Any

import pytest

from simulator.coins import load_coins, load_inactive
from tests.simulator.visitor import Visitor, differences, recorded


@pytest.mark.parametrize(
    ("sample", "path", "params"),
    [
        ("v1-listings", "/v1/cryptocurrency/listings/latest", {"limit": 3}),
        ("v2-quotes-by-id", "/v2/cryptocurrency/quotes/latest", {"id": "1"}),
        ("v2-quotes-by-symbol", "/v2/cryptocurrency/quotes/latest", {"symbol": "atom"}),
        ("v1-quotes-by-symbol", "/v1/cryptocurrency/quotes/latest", {"symbol": "ADA"}),
        ("v1-quotes-fiat-in-btc", "/v1/cryptocurrency/quotes/latest", {"id": "2790", "convert": "BTC"}),
        ("v1-fiat-map", "/v1/fiat/map", {}),
        ("v2-info", "/v2/cryptocurrency/info", {"id": "1"}),
    ],
)
async def test_answers_have_the_shape_of_the_recorded_ones(
    visitor: Visitor, sample: str, path: str, params: dict[str, str | int]
) -> None:
    ours = await visitor.ask(path, **params)
    assert differences(ours, recorded(f"coinmarketcap-{sample}")) == []


async def test_map_elements_have_the_shape_of_the_recorded_ones(visitor: Visitor) -> None:
    ours = await visitor.ask("/v1/cryptocurrency/map")
    assert differences(ours["data"], recorded("coinmarketcap-v1-map")) == []
    assert all(coin["is_active"] == 1 for coin in ours["data"])
    assert [coin["id"] for coin in ours["data"]] == sorted(coin["id"] for coin in ours["data"])


async def test_listings_v3_are_a_list_of_coins_with_a_list_of_quotes(visitor: Visitor) -> None:
    answer = await visitor.ask("/v3/cryptocurrency/listings/latest", limit=2, convert="USD,EUR")
    coin = answer["data"][0]
    assert coin["id"] == coin["cmc_rank"] == 1
    assert coin["last_updated"] == "2026-11-20T12:00:00.200Z"
    assert [(quote["id"], quote["symbol"]) for quote in coin["quote"]] == [(2781, "USD"), (2790, "EUR")]
    assert coin["quote"][0].keys() > {"price", "cex_volume_24h", "minted_market_cap"}
    assert answer["status"]["total_count"] == 600


async def test_quotes_v2_by_symbol_list_all_namesakes_the_best_ranked_first(visitor: Visitor) -> None:
    answer = await visitor.ask("/v2/cryptocurrency/quotes/latest", symbol="one")
    coins = answer["data"]["ONE"]
    assert [coin["id"] for coin in coins] == [3945, 2324, 710, 3603]
    assert [coin["is_active"] for coin in coins] == [1, 1, 0, 0]
    assert coins[2]["cmc_rank"] is None
    assert coins[2]["last_updated"] == "2016-03-22T19:54:18.000Z"
    assert coins[2]["quote"]["USD"]["percent_change_1h"] == 0


async def test_quotes_v1_by_symbol_give_the_best_ranked_alone(visitor: Visitor) -> None:
    answer = await visitor.ask("/v1/cryptocurrency/quotes/latest", symbol="ONE,BTC")
    assert {key: coin["id"] for key, coin in answer["data"].items()} == {"ONE": 3945, "BTC": 1}


async def test_quotes_by_slug_are_keyed_by_id(visitor: Visitor) -> None:
    answer = await visitor.ask("/v2/cryptocurrency/quotes/latest", slug="bitcoin,solana")
    assert answer["data"].keys() == {"1", "5426"}


async def test_quotes_can_leave_out_auxiliary_fields(visitor: Visitor) -> None:
    coin = (await visitor.quotes(id=1, aux="cmc_rank"))[0]
    assert "cmc_rank" in coin
    assert coin.keys().isdisjoint({"tags", "platform", "is_fiat", "max_supply"})


async def test_prices_come_with_all_their_digits_and_small_ones_with_an_exponent(visitor: Visitor) -> None:
    params = {"id": "1,1975,9436", "convert": "USD"}
    async with visitor.client.get("/public-api/v2/cryptocurrency/quotes/latest", params=params) as response:
        text = await response.text()
    prices = [part.split(",")[0] for part in text.split('"price":')[1:]]
    assert prices[2].endswith("e-8")
    assert any(Decimal(price) != Decimal(repr(float(price))) for price in prices)


async def test_a_price_in_another_currency_is_the_ratio_of_the_prices_in_usd(visitor: Visitor) -> None:
    in_btc = (await visitor.quotes(id=1027, convert_id=1))[0]["quote"][0]
    assert in_btc["symbol"] == "BTC"
    ratio = await visitor.price(1027) / await visitor.price(1)
    assert abs(in_btc["price"] / ratio - 1) < Decimal("1e-12")


async def test_a_fiat_currency_asked_as_a_coin_has_no_rank(visitor: Visitor) -> None:
    usd, eur, rub = await visitor.quotes(id="2781,2790,2806")
    assert (usd["is_fiat"], usd["cmc_rank"], usd["quote"][0]["price"]) == (1, None, 1)
    assert Decimal("0.8") < eur["quote"][0]["price"] < Decimal("1.6")
    assert (rub["symbol"], rub["is_fiat"], rub["last_updated"]) == ("RUB", 1, "2026-11-20T12:00:00.200Z")


async def test_without_a_key_the_public_paths_answer_and_success_is_a_text(visitor: Visitor) -> None:
    async with visitor.client.get("/public-api/v1/cryptocurrency/map", params={"limit": "2"}) as response:
        answer = await response.json()
    assert answer["status"]["error_code"] == "0"
    assert len(answer["data"]) == 2


@pytest.mark.parametrize(
    "sort", ["market_cap", "volume_24h", "price", "circulating_supply", "name", "symbol"]
)
async def test_listings_come_in_the_order_asked_for(visitor: Visitor, sort: str) -> None:
    def size(coin: dict[str, Any]) -> Any:
        if sort in {"price", "market_cap", "volume_24h"}:
            return coin["quote"][0][sort]
        return coin[sort].lower() if sort == "name" else coin[sort]

    visitor.clock.now = visitor.clock.now.replace(microsecond=0)
    answers = [
        await visitor.ask("/v3/cryptocurrency/listings/latest", limit=5000, sort=sort, sort_dir=direction)
        for direction in ("asc", "desc")
    ]
    sizes = [size(coin) for coin in answers[0]["data"]]
    assert sizes == sorted(sizes)
    assert len(sizes) == 600
    assert sorted(sizes, reverse=True) == [size(coin) for coin in answers[1]["data"]]


async def test_pages_of_the_listings_follow_each_other(visitor: Visitor) -> None:
    path = "/v1/cryptocurrency/listings/latest"
    first, second, past = [
        (await visitor.ask(path, start=start, limit=10))["data"] for start in (1, 11, 10_000)
    ]
    assert [coin["cmc_rank"] for coin in first + second] == list(range(1, 21))
    assert past == []


async def test_the_map_can_be_ordered_by_rank_and_hold_inactive_coins(visitor: Visitor) -> None:
    answer = await visitor.ask("/v1/cryptocurrency/map", listing_status="active,inactive", sort="cmc_rank")
    assert [coin["rank"] for coin in answer["data"][:3]] == [1, 2, 3]
    assert {coin["id"] for coin in answer["data"][600:]} == {coin.id for coin in load_inactive()}


async def test_the_map_answers_for_symbols(visitor: Visitor) -> None:
    answer = await visitor.ask("/v1/cryptocurrency/map", symbol="BTC,ONE", limit=1)
    assert [coin["id"] for coin in answer["data"]] == [1, 3945, 2324, 710, 3603]


async def test_info_tells_tags_and_links(visitor: Visitor) -> None:
    data = (await visitor.ask("/v2/cryptocurrency/info", id="1,825,710"))["data"]
    assert data["1"]["tags"] == ["simulated", "layer-1"]
    assert data["1"]["tag-names"] == ["Simulated", "Layer 1"]
    assert data["1"]["urls"]["source_code"] == ["https://example.com/bitcoin/code"]
    assert len(data["825"]["urls"]["explorer"]) == 2
    assert (data["825"]["tags"], data["825"]["urls"]["source_code"]) == (["simulated", "token"], [])
    assert not any(data["710"]["urls"].values())


@pytest.mark.parametrize("skip", ["true", "false"])
async def test_info_skips_unknown_ids_where_it_is_told_to(visitor: Visitor, skip: str) -> None:
    path, ids = "/v2/cryptocurrency/info", {"id": "1,999999"}
    if skip == "true":
        assert (await visitor.ask(path, **ids, skip_invalid=skip))["data"].keys() == {"1"}
        assert (await visitor.ask(path, id="999999", skip_invalid=skip))["data"] == {}
    else:
        answer = await visitor.refused(400, path, **ids, skip_invalid=skip)
        assert answer["status"]["error_message"] == 'Invalid value for "id": "999999"'


async def test_supplies_are_of_every_kind(visitor: Visitor) -> None:
    coins = {coin["id"]: coin for coin in await visitor.quotes(id="1,1027,825,2790")}
    supplies = {
        one: (coin["circulating_supply"], coin["total_supply"], coin["max_supply"], coin["infinite_supply"])
        for one, coin in coins.items()
    }
    assert supplies[1] == (19_950_000, 19_950_000, 21_000_000, False)
    assert supplies[1027] == (120_700_000, 120_700_000, None, True)
    assert supplies[825][0] < supplies[825][1]
    assert supplies[2790] == (0, 0, None, False)
    assert [tag["slug"] for tag in coins[2790]["tags"]] == ["fiat"]


async def test_symbols_in_mixed_case_and_with_greek_letters_are_found(visitor: Visitor) -> None:
    answer = await visitor.ask("/v2/cryptocurrency/quotes/latest", symbol="usde,τbtc")
    assert {key: coins[0]["symbol"] for key, coins in answer["data"].items()} == {
        "USDE": "USDe",
        "ΤBTC": "ΤBTC",  # noqa: RUF001 - it begins with a Greek letter
    }


async def test_info_by_symbol_is_keyed_by_symbol_with_lists(visitor: Visitor) -> None:
    answer = await visitor.ask("/v2/cryptocurrency/info", symbol="usdt")
    assert answer["data"]["USDT"][0]["platform"]["symbol"] == "ETH"
    assert answer["data"]["USDT"][0]["category"] == "token"


@pytest.mark.parametrize(
    ("path", "params", "credits"),
    [
        ("v1/cryptocurrency/map", {}, 0),
        ("v1/fiat/map", {}, 0),
        ("v1/key/info", {}, 0),
        ("v2/cryptocurrency/info", {"id": "1,1027"}, 1),
        ("v3/cryptocurrency/listings/latest", {}, 1),
        ("v3/cryptocurrency/listings/latest", {"limit": 201}, 2),
        ("v3/cryptocurrency/listings/latest", {"limit": 5000}, 3),
        ("v3/cryptocurrency/quotes/latest", {"id": "1"}, 1),
        ("v3/cryptocurrency/quotes/latest", {"id": "1,1027", "convert": "USD,EUR"}, 2),
        ("v3/cryptocurrency/quotes/latest", {"id": "999999999"}, 1),
        ("v2/cryptocurrency/quotes/latest", {"id": ",".join(str(coin.id) for coin in load_coins(101))}, 2),
    ],
)
async def test_answers_cost_what_the_vendor_documents(
    visitor: Visitor, path: str, params: dict[str, str | int], credits: int
) -> None:
    answer = await visitor.ask(f"/{path}", **params)
    assert answer["status"]["credit_count"] == credits


async def test_key_info_counts_credits_and_the_calls_of_this_minute(visitor: Visitor) -> None:
    await visitor.quotes(id=1)
    await visitor.quotes(id=1)
    visitor.clock.move(minutes=1)
    usage = (await visitor.ask("/v1/key/info"))["data"]["usage"]
    assert usage["current_month"] == {"credits_used": 2, "credits_left": 14_998}
    assert usage["current_minute"] == {"requests_made": 1, "requests_left": 29}

"""What an answer with quotes says: prices in every direction, and the way of each."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.currency import CurrencyProfile
from tests.api.quotes import (
    BTC,
    ECB,
    EUR,
    PATH,
    open_market,
    prices,
    quotes,
    trade,
)
from tests.api.rig import START, Rig, observed

PROFILE = CurrencyProfile(
    circulating_supply=Decimal("19987654.5"),
    max_supply=Decimal(21000000),
    tags=("mineable", "pow"),
    links={"website": ("https://bitcoin.org/",)},
)


@pytest.fixture
async def market(rig: Rig) -> Rig:
    await open_market(rig)
    await trade(rig)
    return rig


async def test_an_answer_says_everything_of_the_currency_and_of_its_price(market: Rig) -> None:
    await market.storage.record_profiles({BTC: PROFILE}, profiled_at=market.clock())
    await market.advance(seconds=12)
    assert await market.get(f"{PATH}?symbol=BTC&convert=EUR") == {
        "results": [
            {
                "id": 1,
                "name": "Bitcoin",
                "symbol": "BTC",
                "slug": "btc-1",
                "rank": 1,
                "is_active": True,
                "first_seen": "2010-07-13T00:00:00.000Z",
                "platform": None,
                "sign": None,
                "circulating_supply": "19987654.5",
                "total_supply": None,
                "max_supply": "21000000",
                "tags": ["mineable", "pow"],
                "links": {"website": ["https://bitcoin.org/"]},
                "also": [],
                "quotes": [
                    {
                        "currency": EUR,
                        "symbol": "EUR",
                        "price": "39708.33507052896296296296296",
                        "actual_date": "2026-11-19T15:00:00.000Z",
                        "age": 12,
                        "stale": False,
                        "path": [
                            {
                                "pair": "BTC/USD",
                                "source": "coinmarketcap",
                                "actual_date": "2026-11-20T11:59:00.250Z",
                                "age": 12,
                            },
                            {
                                "pair": "USD/EUR",
                                "source": "frankfurter",
                                "actual_date": "2026-11-19T15:00:00.000Z",
                                "age": 12,
                            },
                        ],
                    }
                ],
            }
        ],
        "unknown": [],
    }


# Prices


@pytest.mark.parametrize(
    ("base", "target", "price", "pairs"),
    [
        ("BTC", "USD", "42885.00187617128", ["BTC/USD"]),
        ("BTC", "EUR", "39708.33507052896296296296296", ["BTC/USD", "USD/EUR"]),
        ("EUR", "BTC", "0.00002518362953832802924167639776", ["EUR/USD", "USD/BTC"]),
        ("BTC", "ETH", "17.15057063634124375124975005", ["BTC/USD", "USD/ETH"]),
        ("USD", "EUR", "0.9259259259259259259259259259", ["USD/EUR"]),
        ("USD", "BTC", "0.00002331817549845187892747814607", ["USD/BTC"]),
        ("EUR", "USD", "1.08", ["EUR/USD"]),
        ("EUR", "EUR", "1", []),
        ("USD", "USD", "1", []),
    ],
)
async def test_every_direction_leads_through_the_dollar(
    market: Rig, base: str, target: str, price: str, pairs: list[str]
) -> None:
    (quote,) = (await quotes(market, f"symbol={base}&convert={target}")).values()
    assert quote["price"] == price
    assert [leg["pair"] for leg in quote["path"]] == pairs


async def test_fiat_in_fiat_goes_the_same_way(market: Rig) -> None:
    await market.store(observed(2806, "0.0125", observed_at=START))
    found = await quotes(market, "symbol=EUR,RUB&convert=RUB,EUR")
    assert (found["EUR", "RUB"]["price"], found["RUB", "RUB"]["price"]) == ("86.4", "1")
    assert found["RUB", "EUR"]["price"] == "0.01157407407407407407407407407"


async def test_there_and_back_again_is_one(market: Rig) -> None:
    there = (await prices(market, "symbol=BTC&convert=ETH"))["BTC", "ETH"]
    assert there is not None
    back = (await prices(market, f"symbol=ETH&convert=BTC&amount={there}"))["ETH", "BTC"]
    assert back is not None
    assert abs(back - 1) < Decimal("1e-27")


@pytest.mark.parametrize(
    ("amount", "price"),
    [
        ("0", "0"),
        ("0.000", "0"),
        ("1", "42885.00187617128"),
        ("2.5", "107212.504690428200"),
        ("007", "300195.01313319896"),
        ("0.000000000000000000000000000001", "0.00000000000000000000000004288500187617128"),
        ("9" * 30, "42885001876171279999999999999957114.99812382872"),
    ],
)
async def test_an_amount_is_multiplied_exactly(market: Rig, amount: str, price: str) -> None:
    (quote,) = (await quotes(market, f"symbol=BTC&amount={amount}")).values()
    assert quote["price"] == price


async def test_a_quote_is_as_old_as_its_oldest_leg(market: Rig) -> None:
    await market.advance(seconds=20)
    await market.store(observed(EUR, "1.1", source="frankfurter", observed_at=ECB + timedelta(hours=1)))
    await market.advance(seconds=5)
    query = "symbol=EUR,BTC&convert=BTC,USD"
    found = await quotes(market, query)
    assert {pair: (one["age"], one["actual_date"]) for pair, one in found.items()} == {
        ("EUR", "BTC"): (25, "2026-11-20T11:59:00.250Z"),
        ("EUR", "USD"): (5, "2026-11-19T16:00:00.000Z"),
        ("BTC", "BTC"): (0, None),
        ("BTC", "USD"): (25, "2026-11-20T11:59:00.250Z"),
    }
    assert [leg["age"] for leg in found["EUR", "BTC"]["path"]] == [5, 25]
    _, headers = await market.headers(f"{PATH}?{query}")
    assert headers["Age"] == "25"


async def test_stale_legs_make_stale_quotes(market: Rig) -> None:
    await market.advance(minutes=14)
    await market.store(observed(BTC, "7", observed_at=market.clock()))
    await market.advance(minutes=2)
    found = await quotes(market, "symbol=BTC,ETH&convert=USD,ETH")
    assert {pair: one["stale"] for pair, one in found.items()} == {
        ("BTC", "USD"): False,
        ("BTC", "ETH"): True,
        ("ETH", "USD"): True,
        ("ETH", "ETH"): False,
    }
    for query, stale in (("symbol=BTC", None), ("symbol=BTC&convert=ETH", "true")):
        _, headers = await market.headers(f"{PATH}?{query}")
        assert headers.get("Freshrate-Stale") == stale

"""The decisions on a recorded pair of one hour: CryptoCompare's top 100 and CoinMarketCap's quotes of 2019-02-23.

92 of the 100 have CoinMarketCap's symbol. The catalog holds these, what the other eight could be, and their namesakes.
"""

from decimal import Decimal
from typing import Any

import pytest

from shared.domain.currency import Currency
from shared.domain.identity import DecidedBy, Identity, SourceCoin, decide
from shared.sources.cryptocompare.known_coins import KNOWN_COINS
from tests.shared.sources.cryptocompare.answers import facts

BY_HAND = {"IOT": 1720, "HOT*": 2682, "BTM*": 1866, "POLY*": 2496, "PAI*": 2900, "EDR*": 2835}


@pytest.fixture(scope="module")
def names() -> Any:
    return facts("names_2019-02-23")


def decisions(names: Any, by_hand: dict[str, int]) -> dict[str, Identity]:
    decided = decide(
        [
            SourceCoin(source_id=source_id, symbol=symbol, name=name, price_usd=Decimal(str(price)))
            for source_id, symbol, name, price in names["cryptocompare"]
        ],
        currencies=[
            Currency(id=id_, symbol=symbol, name=name, slug="", rank=rank, is_active=True)
            for id_, symbol, name, rank, _ in names["coinmarketcap"]
        ],
        prices={id_: Decimal(str(price)) for id_, _, _, _, price in names["coinmarketcap"] if price},
        by_hand=by_hand,
        taken=(),
    )
    return {one.coin.symbol: one for one in decided}


def test_the_92_with_the_same_symbol_are_the_same_currency(names: Any) -> None:
    decided = decisions(names, dict(KNOWN_COINS))
    same = {symbol: id_ for id_, symbol, _, _, price in names["coinmarketcap"] if price}
    assert len(same) == 92
    assert {symbol: decided[symbol].currency_id for symbol in same} == same


@pytest.mark.parametrize(("symbol", "currency_id"), BY_HAND.items())
def test_six_of_the_other_eight_were_looked_up_by_hand(names: Any, symbol: str, currency_id: int) -> None:
    decided = decisions(names, dict(KNOWN_COINS))[symbol]
    assert (decided.currency_id, decided.decided_by) == (currency_id, DecidedBy.HAND)


@pytest.mark.parametrize("symbol", ["HSR", "BEC"])
def test_two_are_not_at_coinmarketcap(names: Any, symbol: str) -> None:
    """Hshare had become HyperCash, which both list as HC; CoinMarketCap's only BEC is Betherchip, not Beauty Chain."""
    decided = decisions(names, dict(KNOWN_COINS))
    assert (decided[symbol].currency_id, decided[symbol].decided_by) == (None, DecidedBy.NONE)
    assert decided["HC"].currency_id == 1903


def test_without_the_table_the_rules_find_those_that_are_named_alike_and_nothing_wrong(names: Any) -> None:
    decided = decisions(names, {})
    found = {symbol: (decided[symbol].currency_id, decided[symbol].decided_by) for symbol in BY_HAND}
    assert found == {
        "IOT": (1720, DecidedBy.UNIQUE_NAME),
        "HOT*": (2682, DecidedBy.SYMBOL_AND_NAME),
        "BTM*": (1866, DecidedBy.SYMBOL_AND_NAME),
        "POLY*": (None, DecidedBy.NONE),
        "PAI*": (2900, DecidedBy.SYMBOL_AND_NAME),
        "EDR*": (None, DecidedBy.NONE),
    }


def test_a_decision_by_price_alone_is_made_where_the_names_differ(names: Any) -> None:
    decided = decisions(names, dict(KNOWN_COINS))
    by_price = {symbol for symbol, one in decided.items() if one.decided_by is DecidedBy.SYMBOL_AND_PRICE}
    assert {"SNT", "GNT", "ABBC", "KCS"} <= by_price
    assert all(
        decided[symbol].decided_by is DecidedBy.SYMBOL_AND_NAME for symbol in ("BTC", "ZEC", "AOA", "DCN")
    )


def test_the_table_gives_each_currency_once() -> None:
    assert len(set(KNOWN_COINS.values())) == len(KNOWN_COINS) == 10

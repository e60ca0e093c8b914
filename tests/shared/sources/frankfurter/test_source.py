"""Which call covers which currencies."""

import pytest

from shared.ports import CatalogSource, ProfileSource, RankingSource
from shared.sources.coinmarketcap.fiats import FIATS
from shared.sources.frankfurter import Frankfurter
from shared.sources.frankfurter.currencies import SYMBOLS

SOURCE = Frankfurter(base_url="https://example.test")


def test_its_currencies_are_those_of_the_central_bank_but_the_dollar() -> None:
    assert len(SYMBOLS) == 29
    assert (SYMBOLS[2790], SYMBOLS[2791], SYMBOLS[2812]) == ("EUR", "GBP", "ZAR")
    symbols = {int(fiat["id"]): fiat["symbol"] for fiat in FIATS}
    assert SYMBOLS.items() <= symbols.items()
    assert not {"USD", "RUB", "HRK", "BGN"} & set(SYMBOLS.values())


def test_one_free_call_names_the_dollar_and_what_is_wanted() -> None:
    (call,) = SOURCE.plan([2797, 2790, 2791, 2791], {}, {})
    assert call.path == "/v1/latest"
    assert call.params == (("base", "EUR"), ("symbols", "USD,GBP,JPY"))
    assert (call.what, call.credits, call.currency_ids) == ("rates of 3", 0, (2790, 2791, 2797))


def test_for_the_euro_alone_the_dollar_is_asked_for() -> None:
    (call,) = SOURCE.plan([2790], {}, {})
    assert call.params == (("base", "EUR"), ("symbols", "USD"))


def test_all_its_currencies_are_one_call() -> None:
    (call,) = SOURCE.plan(list(SYMBOLS), {}, {})
    assert set(call.currency_ids) == set(SYMBOLS)


@pytest.mark.parametrize("currency_ids", [[], [1, 1027], [2781], [2806], [10**9 + 7]])
def test_what_it_does_not_know_is_in_no_call(currency_ids: list[int]) -> None:
    assert SOURCE.plan(currency_ids, dict.fromkeys(currency_ids, 1), dict.fromkeys(currency_ids, "EUR")) == []


def test_it_is_a_source_of_prices_alone() -> None:
    assert not isinstance(SOURCE, RankingSource | CatalogSource | ProfileSource)
    assert SOURCE.headers == {"Accept": "application/json"}
    assert (SOURCE.name, SOURCE.has_own_ids, SOURCE.credits_per_month) == ("frankfurter", False, 0)

"""Which calls CryptoCompare is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ports import Call, Quotes, RankingSource
from shared.sources.cryptocompare import CryptoCompare

SOURCE = CryptoCompare(base_url="https://example.test", api_key="secret")


def plan(symbols: dict[int, str], ids: list[int] | None = None) -> list[Call[Quotes]]:
    return SOURCE.plan(list(symbols) if ids is None else ids, {}, symbols)


def asked(calls: list[Call[Quotes]]) -> list[str]:
    return [dict(call.params)["fsyms"] for call in calls]


def test_prices_are_asked_for_by_its_own_symbols_in_one_call_of_one_credit() -> None:
    (call,) = plan({1720: "IOT", 1: "BTC", 2682: "HOT*"})
    assert call.path == "/data/pricemultifull"
    assert call.params == (("fsyms", "BTC,IOT,HOT*"), ("tsyms", "USD"))
    assert (call.what, call.credits, call.currency_ids) == ("prices of 3", 1, (1, 1720, 2682))


def test_a_currency_without_a_symbol_of_its_own_is_in_no_call() -> None:
    assert plan({}, [1, 2]) == []
    assert asked(plan({1: "BTC", 3: "XRP"}, [1, 1, 2])) == ["BTC"]


@pytest.mark.parametrize("symbol", ["", "A,B", ",", " A", "A\n", "x" * 1001])
def test_a_symbol_that_would_break_the_list_is_left_out(symbol: str) -> None:
    assert asked(plan({1: "BTC", 2: symbol})) == ["BTC"]


def test_of_a_symbol_that_two_currencies_have_none_gets_the_others_price() -> None:
    assert asked(plan({1: "BTC", 2: "ABC", 3: "ABC"})) == ["BTC"]


symbols = st.dictionaries(
    st.integers(min_value=1, max_value=10**10), st.text("ABCDE*12", min_size=1, max_size=40), max_size=200
)


@given(symbols)
def test_a_plan_covers_each_symbol_once_and_stays_within_the_length_of_a_list(known: dict[int, str]) -> None:
    calls = plan(known)
    for call, text in zip(calls, asked(calls), strict=True):
        assert len(text) <= 1000
        assert [known[one] for one in call.currency_ids] == text.split(",")
    alone = sorted(one for one, symbol in known.items() if list(known.values()).count(symbol) == 1)
    assert [one for call in calls for one in call.currency_ids] == alone


def test_a_call_is_filled_before_the_next_one_begins() -> None:
    calls = plan({one: f"S{one:03}" for one in range(1, 401)})
    assert [len(call.currency_ids) for call in calls] == [200, 200]
    assert len(asked(calls)[0]) == 999


@pytest.mark.parametrize(("second", "calls"), [(499, 1), (500, 2)])
def test_the_comma_counts_towards_the_length_of_a_list(second: int, calls: int) -> None:
    assert len(plan({1: "A" * 500, 2: "B" * second})) == calls


@pytest.mark.parametrize(
    ("length", "size", "pages"),
    [(1, 10, 1), (10, 10, 1), (11, 20, 1), (100, 100, 1), (101, 100, 2), (200, 100, 2), (5000, 100, 50)],
)
def test_a_ranking_is_as_many_pages_of_one_size_as_it_needs(length: int, size: int, pages: int) -> None:
    calls = SOURCE.ranking(length)
    assert [dict(call.params) for call in calls] == [
        {"limit": str(size), "page": str(page), "tsym": "USD"} for page in range(pages)
    ]
    assert {(call.path, call.credits) for call in calls} == {("/data/top/totalvolfull", 1)}


def test_the_key_goes_into_a_header_and_never_into_the_text_of_the_source() -> None:
    assert SOURCE.headers["Authorization"] == "Apikey secret"
    assert "secret" not in repr(SOURCE)
    assert "secret" not in repr([*plan({1: "BTC"}), *SOURCE.ranking(200)])


def test_it_leads_the_ranking_with_ids_of_its_own() -> None:
    assert isinstance(SOURCE, RankingSource)
    assert (SOURCE.leads_ranking, SOURCE.has_own_ids, SOURCE.pages_per_second) == (True, True, 20)
    assert SOURCE.by_hand["127356"] == 1720

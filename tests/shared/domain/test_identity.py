"""Which currency a coin is: each rule, and what they must never do."""

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.currency import Currency, CurrencyKind
from shared.domain.identity import CurrencyIndex, DecidedBy, SourceCoin, decide

NONE = (None, DecidedBy.NONE)


def currency(id_: int, symbol: str, name: str, rank: int | None = None, **more: Any) -> Currency:
    return Currency(id=id_, symbol=symbol, name=name, slug="", rank=rank, **{"is_active": True, **more})


def coin(symbol: str, name: str, price: str | None = None, source_id: str = "1") -> SourceCoin:
    price_usd = None if price is None else Decimal(price)
    return SourceCoin(source_id=source_id, symbol=symbol, name=name, price_usd=price_usd)


def decided(
    coins: list[SourceCoin],
    currencies: list[Currency],
    prices: Mapping[int, str] | None = None,
    by_hand: Mapping[str, int] | None = None,
    taken: tuple[int, ...] = (),
) -> list[tuple[int | None, DecidedBy]]:
    known = {id_: Decimal(price) for id_, price in (prices or {}).items()}
    decisions = decide(coins, currencies=currencies, prices=known, by_hand=by_hand or {}, taken=taken)
    assert [one.coin for one in decisions] == coins
    return [(one.currency_id, one.decided_by) for one in decisions]


HOLO = currency(2682, "HOT", "Holo", 111)
HYDRO = currency(2430, "HOT", "Hydro Protocol", 1142)


def test_the_hand_table_wins_over_everything() -> None:
    assert decided([coin("HOT", "Hydro Protocol")], [HOLO, HYDRO], by_hand={"1": 2682}) == [
        (2682, DecidedBy.HAND)
    ]


def test_a_line_of_the_hand_table_counts_only_where_the_catalog_has_its_currency() -> None:
    assert decided([coin("HOT", "Hydro Protocol")], [HYDRO], by_hand={"1": 2682}) == [
        (2430, DecidedBy.SYMBOL_AND_NAME)
    ]


def test_only_the_hand_table_gives_a_currency_that_another_coin_is() -> None:
    assert decided([coin("HOT", "Holo")], [HOLO], taken=(2682,)) == [NONE]
    assert decided([coin("HOT", "Holo")], [HOLO], taken=(2682,), by_hand={"1": 2682}) == [
        (2682, DecidedBy.HAND)
    ]


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("HOT", "Holo"),
        ("HOT***", "Holo"),
        ("hot", "HOLO"),
        ("HOT", " ho-lo! "),
        ("HOT", "\uff28\uff4f\uff4c\uff4f"),
    ],
)
def test_symbol_and_name_agree_in_any_case_without_signs_and_stars(symbol: str, name: str) -> None:
    assert decided([coin(symbol, name)], [HOLO, HYDRO]) == [(2682, DecidedBy.SYMBOL_AND_NAME)]


def test_an_active_currency_is_meant_rather_than_a_dead_one_of_its_names() -> None:
    dead = currency(1, "HOT", "Holo", is_active=False)
    assert decided([coin("HOT", "Holo")], [dead, HOLO]) == [(2682, DecidedBy.SYMBOL_AND_NAME)]
    assert decided([coin("HOT", "Holo")], [dead]) == [(1, DecidedBy.SYMBOL_AND_NAME)]


def test_two_currencies_with_the_same_symbol_and_name_are_told_by_the_price_if_at_all() -> None:
    twins = [currency(1, "ABC", "Abc", 5), currency(2, "ABC", "Abc", 4)]
    assert decided([coin("ABC", "Abc")], twins) == [NONE]
    assert decided([coin("ABC", "Abc", "1.05")], twins, {2: "1", 1: "9"}) == [(2, DecidedBy.SYMBOL_AND_NAME)]
    assert decided([coin("ABC", "Abc", "1.05")], twins, {2: "1", 1: "1.1"}) == [
        (2, DecidedBy.SYMBOL_AND_PRICE)
    ]


def test_a_name_counts_where_only_one_active_currency_has_it() -> None:
    iota = currency(1720, "MIOTA", "IOTA", 73)
    assert decided([coin("IOT", "IOTA")], [iota, HOLO]) == [(1720, DecidedBy.UNIQUE_NAME)]
    assert decided([coin("IOT", "IOTA")], [iota, currency(9, "XX", "Iota")]) == [NONE]
    assert decided([coin("IOT", "IOTA")], [iota, currency(9, "XX", "Iota", is_active=False)]) == [
        (1720, DecidedBy.UNIQUE_NAME)
    ]
    assert decided([coin("IOT", "IOTA")], [currency(1720, "MIOTA", "IOTA", is_active=False)]) == [NONE]


@pytest.mark.parametrize("name", ["", "!!!", "💩"])
def test_a_name_without_letters_or_digits_agrees_with_none(name: str) -> None:
    assert decided([coin("HOT", name)], [currency(1, "HOT", "???"), currency(2, "X", "🔥")]) == [NONE]


@pytest.mark.parametrize(
    ("price", "agrees"),
    [("1", True), ("0.9", True), ("0.89", False), ("1.11", True), ("1.12", False), (None, False)],
)
def test_the_best_ranked_of_a_symbol_is_meant_where_the_prices_agree_within_a_tenth(
    price: str | None, *, agrees: bool
) -> None:
    expected = (2682, DecidedBy.SYMBOL_AND_PRICE) if agrees else NONE
    assert decided([coin("hot", "Holochain", price)], [HYDRO, HOLO], {2682: "1", 2430: "0.5"}) == [expected]


def test_where_no_price_of_the_best_ranked_is_known_no_other_one_is_taken_for_it() -> None:
    assert decided([coin("HOT", "Holochain", "1")], [HOLO, HYDRO], {2430: "1"}) == [NONE]
    assert decided([coin("HOT", "Holochain", "1")], [HOLO, HYDRO], {2430: "1", 2682: "1"}, taken=(2682,)) == [
        NONE
    ]


def test_stars_stay_on_a_symbol_that_only_a_price_supports() -> None:
    assert decided([coin("HOT*", "Holochain", "1")], [HOLO], {2682: "1"}) == [NONE]


def test_a_dead_currency_is_not_recognised_by_its_price() -> None:
    dead = currency(1, "ABC", "Abc", 1, is_active=False)
    assert decided([coin("ABC", "Other", "1")], [dead], {1: "1"}) == [NONE]


@pytest.mark.parametrize("kind", [CurrencyKind.FIAT, CurrencyKind.LOCAL])
def test_a_coin_is_neither_money_of_a_state_nor_a_local_currency(kind: CurrencyKind) -> None:
    known = currency(3558, "MNT", "Mantle", kind=kind)
    assert decided([coin("MNT", "Mantle", "1")], [known], {3558: "1"}, {"1": 3558}) == [NONE]


def test_a_weak_match_of_an_early_coin_takes_nothing_from_a_strong_one_of_a_later() -> None:
    early, late = coin("HOT", "Holochain", "1", "1"), coin("HOT*", "Holo", "1", "2")
    assert decided([early, late], [HOLO], {2682: "1"}) == [NONE, (2682, DecidedBy.SYMBOL_AND_NAME)]


def test_of_two_equally_good_matches_the_first_wins() -> None:
    coins = [coin("HOT", "Holo", None, "1"), coin("HOT*", "Holo", None, "2")]
    assert decided(coins, [HOLO]) == [(2682, DecidedBy.SYMBOL_AND_NAME), NONE]
    by_hand = {"1": 2682, "2": 2682}
    assert decided(coins, [HOLO], by_hand=by_hand) == [(2682, DecidedBy.HAND), NONE]


def test_an_index_serves_any_number_of_decisions() -> None:
    index = CurrencyIndex([HOLO, HYDRO, currency(3, "HOT", "Dead", is_active=False)])
    for price, expected in ((None, None), ("1", 2682)):
        coins = [coin("hot", "Holochain", price)]
        [one] = decide(coins, currencies=index, prices={2682: Decimal(1)}, by_hand={}, taken=())
        assert one.currency_id == expected
    assert index.with_symbols({"hot", "none"}) == {2682, 2430}


few = st.sampled_from(["A", "B", "a*", "C", "A b"])
some_currencies = st.lists(
    st.builds(
        currency,
        st.integers(min_value=1, max_value=9),
        few,
        few,
        st.none() | st.integers(min_value=1, max_value=5),
        is_active=st.booleans(),
        kind=st.sampled_from(CurrencyKind),
    ),
    unique_by=lambda one: one.id,
)
some_coins = st.lists(
    st.builds(coin, few, few, st.none() | st.sampled_from(["1", "2"]), st.sampled_from("12345")),
    unique_by=lambda one: one.source_id,
)


@given(some_coins, some_currencies, st.randoms(), st.sets(st.integers(min_value=1, max_value=9), max_size=3))
def test_no_currency_is_given_twice_and_the_order_of_the_catalog_says_nothing(
    coins: list[SourceCoin], currencies: list[Currency], random: Random, taken: set[int]
) -> None:
    prices = dict.fromkeys(range(1, 6), "1")
    by_hand = {"1": 3, "2": 3}
    first = decided(coins, currencies, prices, by_hand, tuple(taken))
    shuffled = random.sample(currencies, len(currencies))
    assert decided(coins, shuffled, prices, by_hand, tuple(taken)) == first
    given_ids = [currency_id for currency_id, _ in first if currency_id is not None]
    assert len(given_ids) == len(set(given_ids))
    assert all(decided_by is DecidedBy.HAND for one, decided_by in first if one in taken)
    kinds = {one.id: one.kind for one in currencies}
    assert {kinds[one] for one in given_ids} <= {CurrencyKind.CRYPTO}


def test_the_longest_ranking_is_decided_on_the_largest_catalog() -> None:
    currencies = [currency(one, f"S{one % 7000}", f"Some Coin {one}", one) for one in range(1, 10_001)]
    coins = [coin(f"S{one}", f"Some-coin {one + one % 3}", "1", str(one)) for one in range(1, 5001)]
    decisions = decided(coins, currencies, dict.fromkeys(range(1, 5001), "1"))
    assert len({one for one, _ in decisions if one}) > 3000

"""What customers spent in another currency: every digit, in any order, or nothing at all."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.deals import PricedDeal
from shared.domain.spending import Spending, Spendings

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HALF_A_DIGIT = Fraction(1, 2) / 10**27
"""Of the 28th digit, of a number that begins with 1; and what 40 digits of each quotient leave open."""
ALLOWED = HALF_A_DIGIT + Fraction(1, 10**38)


def deal(total: str, *prices: str | None, customer: str = "a", date: datetime = NOON) -> PricedDeal:
    return PricedDeal(
        customer, Decimal(total), date, tuple(None if one is None else Decimal(one) for one in prices)
    )


def spent(
    deals: Sequence[PricedDeal],
    customer: str = "a",
    *,
    is_from_dollar: bool = False,
    is_to_dollar: bool = False,
) -> Spending:
    spendings = Spendings(is_from_dollar=is_from_dollar, is_to_dollar=is_to_dollar)
    for one in deals:
        spendings.add([one])
    for batch in spendings.batches():
        spendings.convert([batch])
    return spendings.of(customer)


def test_each_deal_counts_at_its_own_prices() -> None:
    deals = [deal("100", "1.08", "40000"), deal("50", "1.1", "50000")]
    assert spent(deals).amount == Decimal("0.0038")


def test_a_price_of_the_dollar_is_not_among_the_prices() -> None:
    assert spent([deal("100", "40000")], is_from_dollar=True).amount == Decimal("0.0025")
    assert spent([deal("100", "1.08")], is_to_dollar=True).amount == Decimal(108)


def test_thirds_of_equal_deals_make_a_whole() -> None:
    assert spent([deal("1", "3")] * 3, is_from_dollar=True).amount == Decimal(1)


def test_the_sum_has_28_digits_and_no_zeros_at_its_end() -> None:
    assert str(spent([deal("1", "3")], is_from_dollar=True).amount) == "0." + "3" * 28
    assert f"{spent([deal('200.00', '2.0')], is_from_dollar=True).amount:f}" == "100"


def test_deals_without_a_total_are_nothing_spent() -> None:
    assert spent([deal("0", "3"), deal("0.00", "4")], is_from_dollar=True).amount == 0


def test_one_deal_without_a_rate_leaves_no_sum_and_says_which_dates() -> None:
    day = timedelta(days=1)
    deals = [
        deal("1", "2", "3"),
        deal("1", None, "3", date=NOON + day),
        deal("1", "2", None, date=NOON - day),
        deal("1", None, None, date=NOON),
    ]
    assert spent(deals) == Spending(None, 3, NOON - day, NOON + day)


def test_a_deal_without_a_rate_concerns_its_customer_only() -> None:
    deals = [deal("1", None), deal("1", "2", customer="b")]
    assert spent(deals, "b", is_from_dollar=True) == Spending(Decimal("0.5"))


digits = st.integers(1, 10**40 - 1)


def decimals(least: int, most: int) -> st.SearchStrategy[Decimal]:
    """At most 40 digits, between 1e-30 and 1e30 as the domain has it, where the exponents say so."""
    return st.builds(
        lambda number, exponent: Decimal(f"{number}E{exponent - len(str(number))}"),
        digits,
        st.integers(least, most),
    )


amounts = st.just(Decimal(0)) | decimals(-29, 30)
priced = st.builds(
    PricedDeal,
    st.sampled_from("ab"),
    amounts,
    st.just(NOON),
    st.tuples(decimals(-29, 30), decimals(-29, 30)) | st.just((Decimal("1.08"), Decimal(3))),
)


@given(st.lists(priced, min_size=1, max_size=30), st.randoms())
def test_all_digits_of_the_sum_are_right_in_whatever_order_the_deals_come(
    deals: list[PricedDeal], chance: object
) -> None:
    exact = sum(
        Fraction(one.total) * Fraction(one.prices[0] or 0) / Fraction(one.prices[1] or 1)
        for one in deals
        if one.customer == "a"
    )
    amount = spent(deals).amount
    assert amount is not None
    assert abs(Fraction(amount) - exact) <= exact * ALLOWED
    assert len(amount.as_tuple().digits) <= 28
    chance.shuffle(deals)  # type: ignore[attr-defined] # a Random, which hypothesis does not type
    assert spent(deals).amount == amount


@given(st.lists(st.tuples(amounts, decimals(-29, 30)), min_size=1, max_size=30))
def test_sums_into_and_out_of_the_dollar_are_right_too(pairs: list[tuple[Decimal, Decimal]]) -> None:
    deals = [PricedDeal("a", total, NOON, (price,)) for total, price in pairs]
    into = sum(Fraction(total) * Fraction(price) for total, price in pairs)
    out_of = sum(Fraction(total) / Fraction(price) for total, price in pairs)
    for exact, amount in (
        (into, spent(deals, is_to_dollar=True).amount),
        (out_of, spent(deals, is_from_dollar=True).amount),
    ):
        assert amount is not None
        assert abs(Fraction(amount) - exact) <= exact * ALLOWED


@pytest.mark.parametrize("price", ["1e-30", "1e30"])
def test_the_greatest_and_the_least_amounts_fit(price: str) -> None:
    deals = [deal("1e30", price), deal("1e-30", price)] * 1000
    total = (Fraction(10**30) + Fraction(1, 10**30)) * 1000
    amount = spent(deals, is_from_dollar=True).amount
    assert amount is not None
    assert abs(Fraction(amount) - total / Fraction(price)) <= total / Fraction(price) * ALLOWED

"""Exact decimals."""

from decimal import ROUND_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import (
    LARGEST_PRICE,
    MAX_DIGITS,
    SMALLEST_PRICE,
    amount_from,
    decimal_from,
    kept_quotient,
    plain,
    price_from,
    quotient,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("42885.00187617128", "42885.00187617128"),
        ("1e-8", "0.00000001"),
        ("+.5", "0.5"),
        ("5.", "5"),
        ("-0.10", "-0.10"),
        (7, "7"),
        (10**50, "1" + "0" * 50),
        (Decimal("1E+3"), "1000"),
    ],
)
def test_exact_numbers_are_taken_as_they_are(value: object, expected: str) -> None:
    assert plain(decimal_from(value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        float("nan"),
        True,
        None,
        "",
        " 1",
        "1 ",
        "NaN",
        "Infinity",
        "-inf",
        "1_0",
        "\uff11",
        "0x1",
        "1e",
        "1e10000",
        "1" * 121,
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("sNaN"),
        b"1",
        [1],
        {},
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not an exact number"):
        decimal_from(value)


@pytest.mark.parametrize(
    "price",
    [
        "1e-30",
        "1e30",
        "0.000029123550980711138",
        "1." + "0" * 60,
        "9" * 30 + ".0123456789",
        "0." + "1" * 38,
        "0." + "1" * 40,
        "+" + "9" * 20 + "." + "1" * 20,
    ],
)
def test_a_price_between_the_bounds_keeps_every_digit(price: str) -> None:
    assert price_from(price) == Decimal(price)


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("0", "above zero"),
        ("-1", "above zero"),
        ("-0.0", "above zero"),
        ("9e-31", "between"),
        ("1.1e30", "between"),
        ("1e400", "between"),
        (10**400, "between"),
        ("1." + "1" * 40, "at most 40 digits"),
        ("0.1" + "1" * 40, "at most 40 digits"),
        (Decimal("1." + "1" * 40), "at most 40 digits"),
    ],
)
def test_a_price_that_cannot_be_says_why(price: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        price_from(price)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("0", "0"), ("0e-400", "0"), ("-0", "0"), ("22887534028.142235", "22887534028.142235")],
)
def test_an_amount_may_be_zero(amount: str, expected: str) -> None:
    assert plain(amount_from(amount)) == expected


@pytest.mark.parametrize("amount", ["-1", "1e31", "1e-31", "x", None])
def test_an_amount_that_cannot_be_is_refused(amount: object) -> None:
    with pytest.raises(ValueError, match=r"must|not an exact"):
        amount_from(amount)


prices = st.decimals(min_value=SMALLEST_PRICE, max_value=LARGEST_PRICE, allow_nan=False, allow_infinity=False)


@given(prices.filter(lambda price: len(price.as_tuple().digits) <= MAX_DIGITS))
def test_a_price_survives_the_way_to_text_and_back(price: Decimal) -> None:
    text = plain(price_from(price))
    assert "e" not in text.lower()
    assert price_from(text) == price


@pytest.mark.parametrize(
    ("dividend", "divisor", "expected"),
    [
        ("1", "3", "0.3333333333333333333333333333"),
        ("2", "3", "0.6666666666666666666666666667"),
        ("1", "8", "0.125"),
        ("10000000000000000000000000005", "10", "1000000000000000000000000000"),
        ("10000000000000000000000000015", "10", "1000000000000000000000000002"),
        ("1.50", "0.5", "3"),
        ("1200", "1", "1200"),
        ("1e30", "1e-30", "1" + "0" * 60),
        ("0", "7", "0"),
    ],
)
def test_a_quotient_has_28_digits_and_ends_half_to_even(dividend: str, divisor: str, expected: str) -> None:
    assert plain(quotient(Decimal(dividend), Decimal(divisor))) == expected


@given(st.decimals(min_value=Decimal("0.00001"), max_value=Decimal(100_000), places=5))
def test_rates_of_a_third_currency_give_back_the_rate_between_two(rate: Decimal) -> None:
    dollars = Decimal("1.1547")
    assert quotient(dollars, kept_quotient(dollars, rate)) == rate


def test_a_quotient_does_not_depend_on_the_context_around_it() -> None:
    with localcontext(prec=3, rounding=ROUND_UP):
        assert plain(quotient(Decimal(2), Decimal(3))) == "0.6666666666666666666666666667"

"""Exact sums as texts that sort as their values."""

from decimal import Decimal, Inexact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import LARGEST_PRICE
from shared.storage.exact_sums import exact_sum, sortable, unpadded

AMOUNTS = st.decimals(0, LARGEST_PRICE, places=30) | st.decimals(0, 20, places=2)


@given(AMOUNTS, AMOUNTS)
def test_texts_sort_as_their_values(first: Decimal, second: Decimal) -> None:
    assert (sortable(first) < sortable(second)) == (first < second)
    assert (sortable(first) == sortable(second)) == (first == second)


@given(AMOUNTS)
def test_a_text_has_the_value_without_zeros_at_the_end(amount: Decimal) -> None:
    text = unpadded(sortable(amount))
    assert Decimal(text) == amount
    assert text == "0" or not text.startswith("00")
    assert "." not in text or text[-1] not in "0."


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0"), ("0E-9999", "0"), ("1E+30", f"1{'0' * 30}"), ("1E-30", f"0.{'0' * 29}1"), ("100", "100")],
)
def test_exponents_are_written_out(amount: str, text: str) -> None:
    assert unpadded(sortable(Decimal(amount))) == text


def test_sums_are_exact_or_fail() -> None:
    assert unpadded(exact_sum(sortable(Decimal("0.1")), sortable(Decimal("0.2")))) == "0.3"
    with pytest.raises(Inexact):
        exact_sum("1.", f"0.{'0' * 500}1")

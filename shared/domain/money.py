"""Exact decimals: from the source's text to the client's text without a binary float between."""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

MAX_DIGITS = 40
"""Significant digits that a price or an amount may have."""
SMALLEST_PRICE = Decimal("1e-30")
LARGEST_PRICE = Decimal("1e30")
_is_number = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?").fullmatch
_MAX_TEXT = 120
_ZERO = Decimal(0)
_ROUNDING = Context(prec=MAX_DIGITS)
_QUOTED = Context(prec=28, rounding=ROUND_HALF_EVEN)
_KEPT = Context(prec=MAX_DIGITS, rounding=ROUND_HALF_EVEN)
_OUT_OF_BOUNDS = "a number must lie between 1e-30 and 1e30"


def decimal_from(value: object) -> Decimal:
    """The exact value of an int, a Decimal or a number's text. Raises ValueError for anything else.

    Floats are refused: their digits are already lost. NaN and infinities are refused.
    """
    if isinstance(value, str) and len(value) <= _MAX_TEXT and _is_number(value):
        return Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    raise ValueError(f"not an exact number: {value!r:.40}")


def price_from(value: object) -> Decimal:
    """A usable price: above zero, 1e-30 to 1e30, at most 40 significant digits. Else ValueError."""
    price = decimal_from(value)
    if SMALLEST_PRICE <= price <= LARGEST_PRICE:
        return _short(price, value)
    if price <= _ZERO:
        raise ValueError(f"a price must be above zero, not {value!s:.40}")
    raise ValueError(_OUT_OF_BOUNDS)


def amount_from(value: object) -> Decimal:
    """A usable volume or market capitalisation: zero, or within the bounds of a price. Else ValueError."""
    amount = decimal_from(value)
    if SMALLEST_PRICE <= amount <= LARGEST_PRICE:
        return _short(amount, value)
    if amount < _ZERO:
        raise ValueError(f"an amount must not be negative: {value!s:.40}")
    if amount:
        raise ValueError(_OUT_OF_BOUNDS)
    return _ZERO


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """What a client is told of a division: 28 significant digits, half to even, without zeros at the end of a fraction."""
    return _QUOTED.divide(dividend, divisor).normalize(_QUOTED)


def kept_quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """What is kept of a division: MAX_DIGITS significant digits, half to even. So a quotient of two that are kept has their
    exact quotient's 28 digits: EUR in GBP is 0.88247 where the central bank says so, though both went through USD."""
    return _KEPT.divide(dividend, divisor)


def _short(number: Decimal, given: object) -> Decimal:
    """The number in at most 40 digits, without zeros beyond them. A text of 40 characters has no more digits."""
    if isinstance(given, str) and len(given) <= MAX_DIGITS:
        return number
    rounded = _ROUNDING.plus(number)
    if rounded != number:
        raise ValueError(f"a number may have at most {MAX_DIGITS} digits")
    return rounded


def plain(value: Decimal) -> str:
    """The decimal text without exponent and without loss: Decimal("1e-8") is "0.00000001"."""
    return format(value, "f")

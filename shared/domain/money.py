"""Exact decimals: from the source's text to the client's text without a binary float between."""

import re
from decimal import Decimal, InvalidOperation

MAX_DIGITS = 40
"""Significant digits that a price may have."""
SMALLEST_PRICE = Decimal("1e-30")
LARGEST_PRICE = Decimal("1e30")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_MAX_TEXT = 120


def decimal_from(value: object) -> Decimal:
    """The exact value of an int, a Decimal or a number's text. Raises ValueError for anything else.

    Floats are refused: their digits are already lost. NaN and infinities are refused.
    """
    if isinstance(value, bool | float):
        raise ValueError(f"not an exact number: {value!r}")  # noqa: TRY004 - bad input, whatever its type
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"not a finite number: {value}")
        return value
    if isinstance(value, str) and len(value) <= _MAX_TEXT and _NUMBER.fullmatch(value):
        try:
            return Decimal(value)
        except InvalidOperation as error:
            raise ValueError(f"not a number: {value[:40]!r}") from error
    raise ValueError(f"not a number: {str(value)[:40]!r}")


def price_from(value: object) -> Decimal:
    """A usable price: above zero, 1e-30 to 1e30, at most 40 significant digits. Else ValueError."""
    price = decimal_from(value)
    if price <= 0:
        raise ValueError(f"a price must be above zero, not {value}")
    if not SMALLEST_PRICE <= price <= LARGEST_PRICE:
        raise ValueError("a price must lie between 1e-30 and 1e30")
    if len(price.as_tuple().digits) > MAX_DIGITS:
        raise ValueError(f"a price may have at most {MAX_DIGITS} digits")
    return price


def plain(value: Decimal) -> str:
    """The decimal text without exponent and without loss: Decimal("1e-8") is "0.00000001"."""
    return format(value, "f")

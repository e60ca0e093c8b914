"""Exact sums of decimals for SQLite, whose own sum() is a binary float.

A sum is kept as a text that sorts as its value does: SQLite compares texts, and so finds the greatest sums by itself.
"""

from decimal import Context, Decimal, Inexact, InvalidOperation

from shared.domain.money import plain

EXACT = Context(prec=400, traps=[Inexact, InvalidOperation])
"""Amounts have up to 31 digits before the point and some hundred after it; what does not fit raises."""
_WHOLE_DIGITS = 60
"""More than a file of amounts below 1e30 can sum up to."""


def sortable(total: Decimal) -> str:
    """With zeros before it and none at its end: 1.50 is "00...01.5", and 7 is "00...07."."""
    whole, _, fraction = plain(total).partition(".")
    return f"{whole:0>{_WHOLE_DIGITS}}.{fraction.rstrip('0')}"


def unpadded(text: str) -> str:
    """The plain decimal text of a sortable one."""
    whole, _, fraction = text.partition(".")
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{fraction}" if fraction else whole


def exact_sum(first: str, second: str) -> str:
    """Of two sortable texts: SQLite calls it by this name."""
    return sortable(EXACT.add(Decimal(first), Decimal(second)))

"""What a good cell of a deal is."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from shared.domain.money import LARGEST_PRICE, MAX_DIGITS, SMALLEST_PRICE, amount_from, decimal_from, plain

LONGEST_SHOWN = 40
"""Characters of a wrong value that an error shows."""
_LONGEST_AMOUNT = 120
"""Characters that `decimal_from` takes."""
_OUT_OF_BOUNDS = "must be 0, or between 1e-30 and 1e30"
_is_far_out = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?[eE][+-]?[0-9]{5,}").fullmatch
"""A number whose exponent nobody has to work out."""
_stamp = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[ T]([0-9]|[01][0-9]|2[0-3])(:[0-5][0-9]:[0-5][0-9])(\.[0-9]+)?(Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?"
).fullmatch


class BadCell(ValueError):
    """What is wrong, without the line, the column and the value."""


def name(text: str) -> str:
    """A customer or an item, as it is. Raises BadCell where there is none."""
    if not text.strip():
        raise BadCell("is empty")
    if "\0" in text:
        raise BadCell("has a NUL character")
    return text


def amount(text: str) -> str:
    """A total or a quantity, as plain decimal text. Raises BadCell for what `amount_from` does not take."""
    try:
        return plain(amount_from(text))
    except ValueError as error:
        raise BadCell(_wrong_amount(text)) from error


def date(text: str) -> str:
    """A date, as ISO 8601 in UTC. Raises BadCell.

    A date alone is midnight, without a zone it is UTC; of a fraction the microseconds are kept, the rest is cut.
    """
    match = _stamp(text)
    if match is None:
        raise BadCell("is not a date (2026-11-20) and not one with a time (2026-11-20T12:00:00)")
    day, hour, rest, fraction, zone = match.groups(default="")
    iso = f"{day}T{hour.zfill(2)}{rest or ':00:00'}{fraction[:7]}{zone}"
    try:
        time = datetime.fromisoformat(iso)
        # Measured: to write a time without its zone takes half of the time.
        return time.astimezone(UTC).isoformat() if zone else f"{time.isoformat()}+00:00"
    except ValueError as error:
        raise BadCell("is not a day of the calendar") from error
    except OverflowError as error:
        raise BadCell("is not within the years 1 to 9999, as UTC") from error


CHECKS: Mapping[str, Callable[[str], str]] = {
    "customer": name,
    "item": name,
    "total": amount,
    "quantity": amount,
    "date": date,
}
"""By column: gives the cell in the form in which it is kept, or raises BadCell."""


def shown(value: str) -> str:
    """A value in an error, in one line."""
    return repr(value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}...")


def _wrong_amount(text: str) -> str:
    try:
        number = decimal_from(text)
    except ValueError:
        if len(text) > _LONGEST_AMOUNT:
            return "is too long for a number"
        return _OUT_OF_BOUNDS if _is_far_out(text) else "is not a number"
    if number < 0:
        return "must not be negative"
    if SMALLEST_PRICE <= number <= LARGEST_PRICE:
        return f"has more than {MAX_DIGITS} digits"
    return _OUT_OF_BOUNDS

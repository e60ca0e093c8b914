"""What sources state, as values of ours. They come through `read_json`, so a number is a text."""

import math
import re
from decimal import Decimal

from shared.domain.money import amount_from

_MAX_TEXT = 200
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Control characters, halves of surrogates, and marks that turn the direction of the text around them."""


def text_from(value: object, *, longest: int = _MAX_TEXT) -> str:
    """A text for people, fit for every database and terminal. Else ValueError."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > longest or _UNFIT.search(text):
        raise ValueError("no usable text")
    return text


def text_or_none(value: object) -> str | None:
    try:
        return text_from(value)
    except ValueError:
        return None


def line_from(value: object) -> str:
    """A source's message as one short line for the log; empty where it has none."""
    return _UNFIT.sub(" ", value)[:_MAX_TEXT] if isinstance(value, str) else ""


def amount_or_none(value: object) -> Decimal | None:
    try:
        return amount_from(value)
    except ValueError:
        return None


def percent_or_none(value: object) -> float | None:
    try:
        percent = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return None
    return percent if math.isfinite(percent) else None

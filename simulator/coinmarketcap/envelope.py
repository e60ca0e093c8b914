"""The envelope of every answer of CoinMarketCap, and its error answers."""

from datetime import datetime
from typing import Any

import orjson

from shared.domain.times import iso
from simulator.asking import Answer, Ask, Refused

KEYLESS_PREFIX = "/public-api"
_LIMIT = "You've exceeded your API Key's"
_ERRORS: dict[int, tuple[int, str]] = {
    400: (400, "Invalid request"),
    500: (500, "An internal server error occurred"),
    1001: (401, "This API Key is invalid."),
    1002: (401, "API key missing."),
    1003: (402, "Your API Key must be activated. Please go to pro.coinmarketcap.com/account/plan."),
    1004: (402, "Your API Key's subscription plan has expired."),
    1005: (403, "An API Key is required for this call."),
    1006: (403, "Your API Key subscription plan doesn't support this endpoint."),
    1007: (403, "This API Key has been disabled. Please contact support."),
    1008: (429, f"{_LIMIT} HTTP request rate limit. Rate limits reset every minute."),
    1009: (429, f"{_LIMIT} daily rate limit."),
    1010: (429, f"{_LIMIT} monthly rate limit."),
    1011: (429, "You've hit an IP rate limit."),
}
"""HTTP status and text by error code."""


def success(ask: Ask, data: Any, *, cost: int, **more: int) -> Answer:  # noqa: ANN401 - any JSON
    """An answer with data. Without a key, the code of success is a text, as on the vendor's own."""
    status = {
        "timestamp": iso(ask.now),
        "error_code": "0" if ask.path.startswith(KEYLESS_PREFIX) else 0,
        "error_message": None,
        "elapsed": 12,
        "credit_count": cost,
        "notice": None,
        **more,
    }
    return Answer(200, orjson.dumps({"status": status, "data": data}))


def error(code: int, now: datetime, message: str = "") -> Answer:
    """The answer for one of the vendor's codes, or for any other HTTP status."""
    http_status, text = _ERRORS.get(code, (code, "An unexpected error occurred"))
    status = {
        "timestamp": iso(now),
        "error_code": code,
        "error_message": message or text,
        "elapsed": 0,
        "credit_count": 0,
    }
    return Answer(http_status, orjson.dumps({"status": status}))


def invalid(ask: Ask, message: str) -> Refused:
    return Refused(error(400, ask.now, message))


def invalid_values(ask: Ask, name: str, values: list[str]) -> Refused:
    """All the bad values of a parameter stand in one pair of quotes."""
    plural = "s" if len(values) > 1 else ""
    return invalid(ask, f'Invalid value{plural} for "{name}": "{",".join(values)}"')

"""CoinMarketCap's envelope and errors.

`{"status": {"error_code", "error_message", "credit_count", ...}, "data": ...}`. Success is an error_code of 0, "0",
null or none at all; a 200 with another code holds no data. The code tells more than the HTTP status: one and the same
429 means four very different waits.
"""

import re
from dataclasses import dataclass
from typing import Any

from shared.errors import (
    LimitPeriod,
    UpstreamBroken,
    UpstreamError,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
)
from shared.ports import UpstreamAnswer
from shared.sources.exact_json import read_json
from shared.sources.statuses import BAD_REQUEST, OK, REFUSALS, SERVER_ERROR, TOO_MANY, error_by_status
from shared.sources.values import line_from

_ACCOUNT_CODES = {"1001", "1002", "1003", "1004", "1005", "1006", "1007"}
"""Key invalid, missing, not activated; plan expired; key required; not in the plan; key disabled."""
_NOT_WITHOUT_KEY = {"1002", "1005", "1006"}
_LIMITS = {
    "1008": (LimitPeriod.MINUTE, None),
    "1009": (LimitPeriod.DAY, None),
    "1010": (LimitPeriod.MONTH, None),
    "1011": (LimitPeriod.MINUTE, 120.0),
}
"""By code: when the limit ends, and the seconds to wait where no Retry-After says. 1011 counts the calls of an address
and names no reset, so it is given twice the minute of the others."""
_INVALID_IDS = re.compile(r'Invalid values? for "id"(?:: "([0-9, ]*)")?')
_MAX_CREDITS = 1000
"""The dearest call costs 25; what claims more than this must not eat the month's budget."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a good answer holds."""

    data: Any
    credits: int | None


def contents_of(answer: UpstreamAnswer) -> Contents:
    """Raises the UpstreamError that any other answer means."""
    if answer.status != OK:
        raise _error_of(answer)
    envelope = read_json(answer.body)
    if not isinstance(envelope, dict):
        raise UpstreamMalformed("CoinMarketCap answered without its envelope.")
    status = envelope.get("status")
    if status is not None and not isinstance(status, dict):
        raise UpstreamMalformed("CoinMarketCap answered without its status.")
    status = status or {}
    if _code(status) is not None:
        raise _error_of(answer)
    if envelope.get("data") is None:
        raise UpstreamMalformed("CoinMarketCap answered without data.")
    return Contents(envelope["data"], _credits(status.get("credit_count")))


def is_not_offered_without_key(answer: UpstreamAnswer) -> bool:
    """Whether CoinMarketCap itself says that it does not serve this path to callers without a key."""
    status = _status(answer)
    return status is not None and (answer.status == 404 or _code(status) in _NOT_WITHOUT_KEY)  # noqa: PLR2004 - not found


def _error_of(answer: UpstreamAnswer) -> UpstreamError:
    status = _status(answer) or {}
    code = _code(status)
    message = f"CoinMarketCap answered {answer.status}{_explained(code, status.get('error_message'))}"
    if code in _LIMITS:
        period, retry_after = _LIMITS[code]
        return UpstreamLimited(message, period=period, retry_after=retry_after)
    if answer.status in TOO_MANY:
        return UpstreamLimited(message)
    if code in _ACCOUNT_CODES or answer.status in REFUSALS:
        return UpstreamRefused(message)
    if answer.status >= SERVER_ERROR or code == str(SERVER_ERROR):
        return UpstreamBroken(message)
    if answer.status >= BAD_REQUEST or code == str(BAD_REQUEST):
        return UpstreamRejected(message, rejected=_rejected(status.get("error_message")))
    return error_by_status(answer.status, message)


def _status(answer: UpstreamAnswer) -> dict[str, Any] | None:
    """The status object of an error, {} where a JSON answer has none, None where the answer is no JSON object."""
    try:
        envelope = read_json(answer.body)
    except UpstreamMalformed:
        return None
    if not isinstance(envelope, dict):
        return None
    status = envelope.get("status")
    return status if isinstance(status, dict) else {}


def _code(status: dict[str, Any]) -> str | None:
    """The error's code, None for success."""
    code = status.get("error_code")
    return None if code in (None, "", "0") else str(code)[:20]


def _explained(code: str | None, message: object) -> str:
    text = line_from(message)
    return (f", code {code}" if code else "") + (f": {text}" if text else ".")


def _rejected(message: object) -> tuple[str, ...]:
    match = _INVALID_IDS.search(message) if isinstance(message, str) else None
    return tuple(part.strip() for part in (match[1] or "").split(",") if part.strip()) if match else ()


def _credits(value: object) -> int | None:
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > 4:  # noqa: PLR2004 - 9999
        return None
    return int(value) if int(value) <= _MAX_CREDITS else None

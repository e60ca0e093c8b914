"""CryptoCompare's envelopes and errors.

The old one reports errors over HTTP 200: `{"Response": "Error", "Type", "Message", "RateLimit", "Data": {}}`. The new one,
in which it refuses callers without a key, has `{"Data": {}, "Err": {"type", "message", "http_status_code"}}`. Both have
`Data`, so whoever reads that alone takes an error for an empty list.
"""

from collections.abc import Mapping
from typing import Any

from shared.errors import (
    LimitPeriod,
    UpstreamError,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
)
from shared.ports import UpstreamAnswer
from shared.sources.exact_json import read_json
from shared.sources.statuses import OK, error_by_status
from shared.sources.values import line_from

_STATUSES = range(100, 600)
_SUCCESS = "100"
_LIMITED = "99"
_REJECTIONS = {"1", "2"}
_LIMITS: Mapping[str, tuple[LimitPeriod, float | None]] = {
    "month": (LimitPeriod.MONTH, None),
    "day": (LimitPeriod.DAY, None),
    "hour": (LimitPeriod.MINUTE, 600.0),
    "minute": (LimitPeriod.MINUTE, None),
    "second": (LimitPeriod.MINUTE, 2.0),
}
"""By the period that is used up, the longest first: when the limit ends, and the seconds to wait where no Retry-After says.
When an hour of theirs ends is not told, so it is tried again every ten minutes."""
_MAX_DIGITS = 12


def contents_of(answer: UpstreamAnswer) -> dict[str, Any]:
    """The JSON object of a good answer. Raises the UpstreamError that any other answer means."""
    try:
        body = read_json(answer.body)
    except UpstreamMalformed:
        if answer.status == OK:
            raise
        body = None
    if isinstance(body, dict) and (failure := _failure_in(body, answer.status)):
        raise failure
    if answer.status != OK:
        raise _failure_by(answer.status, "")
    if not isinstance(body, dict):
        raise UpstreamMalformed("CryptoCompare answered without its envelope.")
    return body


def top_list_of(answer: UpstreamAnswer) -> list[Any]:
    """The elements of a good top list."""
    body = contents_of(answer)
    data = body.get("Data")
    if body.get("Type") != _SUCCESS or not isinstance(data, list):
        raise UpstreamMalformed("CryptoCompare answered without a list.")
    return data


def _failure_in(body: dict[str, Any], status: int) -> UpstreamError | None:
    """What the body says, whatever the status: it knows more."""
    if error := body.get("Err"):
        return _failure_in_new_style(error, status)
    kind = str(body.get("Type"))
    if body.get("Response") != "Error" and kind not in {_LIMITED, *_REJECTIONS}:
        return None
    text = line_from(body.get("Message"))
    if kind == _LIMITED:
        period, retry_after = _limit_of(body.get("RateLimit"))
        return UpstreamLimited(_told(status, text), period=period, retry_after=retry_after)
    if status != OK:
        return _failure_by(status, text)
    if _is_about_the_key(text):
        return UpstreamRefused(_told(status, text))
    message = _told(status, text)
    return UpstreamRejected(message) if kind in _REJECTIONS else UpstreamMalformed(message)


def _failure_in_new_style(error: Any, status: int) -> UpstreamError:  # noqa: ANN401 - JSON
    details = error if isinstance(error, dict) else {}
    stated = details.get("http_status_code")
    if isinstance(stated, str) and stated.isascii() and stated.isdigit() and len(stated) == 3:  # noqa: PLR2004 - a status
        status = int(stated) if int(stated) in _STATUSES else status
    return _failure_by(status, line_from(details.get("message")))


def _failure_by(status: int, text: str) -> UpstreamError:
    return error_by_status(status, _told(status, text))


def _told(status: int, text: str) -> str:
    return f"CryptoCompare answered {status}" + (f": {text}" if text else ".")


def _is_about_the_key(text: str) -> bool:
    """A parameter that is wrong says nothing against our account, a key that is wrong does; both have the same type."""
    return "api key" in text.lower()


def _limit_of(limits: Any) -> tuple[LimitPeriod, float | None]:  # noqa: ANN401 - JSON
    """A minute where it is not told."""
    stated = limits if isinstance(limits, dict) else {}
    made, most = (_counts(stated.get(name)) for name in ("calls_made", "max_calls"))
    for period, limit in _LIMITS.items():
        if period in made and period in most and made[period] >= most[period]:
            return limit
    return LimitPeriod.MINUTE, None


def _counts(value: Any) -> dict[str, int]:  # noqa: ANN401 - JSON
    return {
        period: int(count)
        for period, count in (value if isinstance(value, dict) else {}).items()
        if isinstance(count, str) and count.isascii() and count.isdigit() and len(count) <= _MAX_DIGITS
    }

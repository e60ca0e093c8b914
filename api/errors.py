"""From exceptions to HTTP: one table, and problem+json bodies (RFC 9457).

Expected failures become their status with a detail that says what to do. What is not in the table is a defect: 500
without detail; the traceback goes to the log only.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from shared.domain.visit import Failure, FailureKind
from shared.errors import (
    CatalogNotLoaded,
    DeadlineExceeded,
    ForeignListener,
    ForeignOrigin,
    FreshrateError,
    InvalidDeals,
    InvalidInput,
    KeyRequired,
    NoRateYet,
    NoRoomForUpload,
    NotFound,
    NotTried,
    QueueUnavailable,
    RetryableError,
    StorageUnavailable,
    StreamsBusy,
    TooManyRequests,
    UnknownCurrencies,
    UnknownCurrency,
    UnknownRate,
    UnsupportedUpload,
    UpgradeRequired,
    UploadsBusy,
    UploadStopped,
    UploadTooLarge,
    UploadTooSlow,
    UpstreamError,
    WorkerGone,
)

PROBLEM_JSON = "application/problem+json"
STALE_HEADER = "Freshrate-Stale"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a kind of failure is called towards clients."""

    status: int
    slug: str
    title: str
    advice: str = ""
    """What to do, where the error's own text does not say it."""


_LATER = "Ask again after the seconds in Retry-After; lastrate goes on with what is known."
_SOON = "Ask again later; lastrate goes on with what is known."

DEFECT = Problem(500, "internal", "Something broke on our side")

PROBLEMS: Mapping[type[FreshrateError], Problem] = {
    InvalidInput: Problem(400, "invalid-parameters", "Some parameters cannot be used"),
    KeyRequired: Problem(401, "key-required", "A key is needed"),
    ForeignOrigin: Problem(403, "foreign-origin", "Another origin may not change anything"),
    ForeignListener: Problem(403, "foreign-listener", "Another origin may not listen"),
    NotFound: Problem(404, "not-found", "Nothing is here"),
    UnknownCurrency: Problem(404, "unknown-currency", "No such currency"),
    UnknownRate: Problem(404, "unknown-rate", "No such rate"),
    NoRateYet: Problem(404, "no-rate-yet", "No rate of this currency yet"),
    InvalidDeals: Problem(400, "invalid-deals", "The deals cannot be used"),
    UploadTooSlow: Problem(408, "upload-too-slow", "The upload did not arrive in time"),
    UploadTooLarge: Problem(413, "upload-too-large", "The upload is too large"),
    UnsupportedUpload: Problem(415, "unsupported-upload", "An upload of this kind is not taken"),
    UpgradeRequired: Problem(426, "upgrade-required", "This address speaks WebSocket"),
    TooManyRequests: Problem(429, "too-many-requests", "Too many requests"),
    UpstreamError: Problem(502, "source-failed", "The source failed", _SOON),
    StreamsBusy: Problem(503, "streams-busy", "No live stream can be opened now"),
    UploadsBusy: Problem(503, "uploads-busy", "Too many uploads at once"),
    UploadStopped: Problem(503, "upload-stopped", "The upload was given up"),
    NoRoomForUpload: Problem(507, "no-room-for-upload", "No room for the upload"),
    StorageUnavailable: Problem(503, "database-unavailable", "The database does not answer", _LATER),
    NotTried: Problem(503, "not-tried", "No source was asked", _LATER),
    QueueUnavailable: Problem(503, "queue-unavailable", "Refreshes are out of order", _LATER),
    WorkerGone: Problem(503, "worker-gone", "No worker is alive", _LATER),
    CatalogNotLoaded: Problem(503, "catalog-not-loaded", "The catalog is not loaded yet", _LATER),
    DeadlineExceeded: Problem(504, "deadline-exceeded", "Nothing fresh arrived in time", _SOON),
}


def problem_of(error: type[FreshrateError]) -> Problem:
    """The entry of the class, or of its nearest ancestor."""
    for ancestor in error.__mro__:
        if ancestor in PROBLEMS:
            return PROBLEMS[ancestor]
    return DEFECT


def error_of(failure: Failure) -> FreshrateError:
    """The exception that says what a worker or a direct visit reported."""
    if failure.kind is FailureKind.VISITED:
        return UpstreamError(failure.detail)
    if failure.kind is FailureKind.DATABASE_AWAY:
        return StorageUnavailable(failure.detail, retry_after=failure.retry_after)
    if failure.kind is FailureKind.NOT_TRIED:
        return NotTried(failure.detail, retry_after=failure.retry_after)
    return DeadlineExceeded(failure.detail)


def problem_answer(error: FreshrateError, **members: Any) -> web.Response:  # noqa: ANN401 - JSON, whatever its type
    """The response for an expected failure; `members` join the body (`last_rate`, say)."""
    problem = problem_of(type(error))
    if problem is DEFECT:
        return defect_answer()
    if isinstance(error, InvalidDeals):
        return _refused_deals(error)
    response = _encoded(problem.status, problem_body(error, **members))
    if isinstance(error, RetryableError):
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if isinstance(error, KeyRequired):
        response.headers["WWW-Authenticate"] = 'Bearer realm="freshrate"'
    if isinstance(error, UpgradeRequired):
        response.headers.update({"Upgrade": "websocket", "Sec-WebSocket-Version": "13"})
    return response


def problem_body(error: FreshrateError, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON, whatever its type
    """What is told of an expected failure; `members` join it."""
    problem = problem_of(type(error))
    body: dict[str, Any] = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": _in_sentences(_told(error), problem.advice),
        **members,
    }
    if isinstance(error, InvalidInput):
        body["errors"] = error.errors
    if isinstance(error, UnknownCurrencies):
        body["unknown"] = list(error.unknown)
    return body


def _refused_deals(error: InvalidDeals) -> web.Response:
    """The one failure with a body of its own, which the contract of uploads has."""
    return web.Response(
        status=problem_of(type(error)).status,
        body=_json({"Status": "Error", "Desc": str(error)}),
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )


def _told(error: FreshrateError) -> str:
    """Where the database is, and what its driver said, is for the log."""
    return str(StorageUnavailable()) if isinstance(error, StorageUnavailable) else str(error)


def _in_sentences(said: str, advice: str) -> str:
    """What a source said of itself may end without a full stop."""
    said = said.rstrip()
    is_whole = not said or said.rstrip("\"')]}").endswith((".", "!", "?", "…"))
    return f"{said}{'' if is_whole or not advice else '.'} {advice}".strip()


def http_problem(error: web.HTTPException) -> web.Response:
    """aiohttp's own 404, 405, 413 and the like, as a problem; redirects and their headers stay."""
    headers = {name: value for name, value in error.headers.items() if name.lower() != "content-type"}
    if error.status < HTTPStatus.BAD_REQUEST:
        return web.Response(status=error.status, headers=headers)
    response = status_problem(error.status, _DETAILS.get(error.status, error.reason))
    response.headers.extend(headers)
    return response


def status_problem(status: int, detail: str) -> web.Response:
    """A problem that HTTP's own words describe."""
    title = HTTPStatus(status).phrase
    return _encoded(status, {"type": "about:blank", "title": title, "status": status, "detail": detail})


def defect_answer() -> web.Response:
    return status_problem(DEFECT.status, "This is a defect of freshrate. Its log says more.")


_DETAILS = {
    404: "There is nothing at this address. GET /api/docs/ shows what there is.",
    405: "This address does not know that method. The header Allow names those it knows.",
    413: "The body is too large.",
}


def _encoded(status: int, body: Mapping[str, Any]) -> web.Response:
    return web.Response(
        status=status,
        body=_json(body),
        headers={"Content-Type": PROBLEM_JSON, "Cache-Control": "no-store"},
    )


def _json(body: Mapping[str, Any]) -> bytes:
    """Also where a text repeats bytes of a client that are no UTF-8, which orjson refuses."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body, default=str).encode()

"""Answers that are encoded once and served many times.

The headers say how old what they carry is. `Age` is judged against the answer's own `Date`, so both are written here; they
change once a second, and so does the cached head.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import Literal

import orjson
from aiohttp import BytesIOPayload, web
from aiohttp.typedefs import LooseHeaders
from multidict import CIMultiDict

from api import request_ids
from api.encoded import SLICE, EncodedResponse, takes_encoded
from api.encoding import rate_json
from api.errors import STALE_HEADER
from shared.domain.rate import Rate
from shared.domain.times import micros

JSON = "application/json"
CacheControl = Literal["no-cache", "no-store"]
_STALE = f"{STALE_HEADER}: true\r\n"


@dataclass(slots=True, kw_only=True)
class Answer:
    """A body, with what its headers need. Times in seconds since 1970."""

    body: bytes
    etag: str
    last_modified: str | None
    """None where no such header says what it should."""
    fetched_second: int | None
    """When the oldest of what it carries was fetched; None where it has no age."""
    modified_second: int | None
    """For If-Modified-Since; None where a second is too coarse to tell."""
    is_stale: bool
    content_type: str = JSON
    more_headers: Mapping[str, str] = field(default_factory=dict)
    _second: int = -1
    _head: bytes = b""

    def head(self, second: int, request_id: str) -> bytes:
        """The head of the 200 as it goes on the wire in this second; only the request id is different each time."""
        if second != self._second:
            self._second = second
            lines, length = self._lines(second, "no-cache"), len(self.body)
            self._head = (
                f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {length}\r\n{request_ids.HEADER}: ".encode()
            )
        return b"%b%b\r\n\r\n" % (self._head, request_id.encode())

    def age(self, second: int) -> CIMultiDict[str]:
        """What says how old it is, judged against the answer's own Date."""
        return _parsed(self._age_lines(second))

    def headers(self, second: int, cache_control: CacheControl) -> CIMultiDict[str]:
        return _parsed(self._lines(second, cache_control))

    def _lines(self, second: int, cache_control: CacheControl) -> str:
        """As they go on the wire: the hot path needs nothing else, and what others get is made of the same."""
        modified = "" if self.last_modified is None else f"Last-Modified: {self.last_modified}\r\n"
        more = "".join([f"{name}: {value}\r\n" for name, value in self.more_headers.items()])
        return (
            f"Content-Type: {self.content_type}\r\n{self._age_lines(second)}{modified}ETag: {self.etag}\r\n"
            f"Cache-Control: {cache_control}\r\nX-Content-Type-Options: nosniff\r\n{more}"
        )

    def _age_lines(self, second: int) -> str:
        age = "" if self.fetched_second is None else f"Age: {max(0, second - self.fetched_second)}\r\n"
        return f"Date: {http_date(second)}\r\n{age}{_STALE if self.is_stale else ''}"


def _parsed(lines: str) -> CIMultiDict[str]:
    return CIMultiDict([_pair(line) for line in lines.splitlines()])


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value


@dataclass(slots=True, kw_only=True)
class RateAnswer(Answer):
    """One rate."""

    rate: Rate
    stale_from: float
    """After this second the body would be wrong; infinite where it says stale already."""


def rate_answer(rate: Rate, *, now: float, stale_after: float, not_renewed: bool = False) -> RateAnswer:
    """Encodes a rate. `not_renewed`: it should have been renewed and could not, so it is stale at any age."""
    fetched = rate.fetched_at.timestamp()
    is_stale = not_renewed or now - fetched > stale_after
    second = math.floor(fetched)
    return RateAnswer(
        rate=rate,
        body=orjson.dumps(rate_json(rate, is_stale=is_stale)),
        etag=f'W/"{rate.id:x}.{micros(rate.fetched_at):x}{".s" if is_stale else ""}"',
        last_modified=http_date(second),
        fetched_second=second,
        # That a rate has become stale changes the answer, but not when it was fetched.
        modified_second=None if is_stale else second,
        is_stale=is_stale,
        stale_from=math.inf if is_stale else fetched + stale_after,
    )


def ready_response(
    request: web.BaseRequest, answer: Answer, now: float, request_id: str
) -> web.StreamResponse:
    """The answer in the way that costs least, or 304 where the client has it already."""
    if takes_encoded(request) and not is_conditional(request):
        return EncodedResponse(HTTPStatus.OK, answer.head(int(now), request_id), answer.body)
    response = conditional(request, answer, now)
    response.headers[request_ids.HEADER] = request_id
    return response


def conditional(request: web.BaseRequest, answer: Answer, now: float) -> web.Response:
    """The answer, or 304 where the client has it already."""
    headers = answer.headers(int(now), "no-cache")
    if is_unchanged(request, answer.etag, answer.modified_second):
        response = web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        del response.headers["Content-Type"]
        return response
    return _whole(answer, headers)


def fresh(answer: Answer, now: float) -> web.Response:
    """The answer to a request that may have cost credits: nobody stores it."""
    return _whole(answer, answer.headers(int(now), "no-store"))


def _whole(answer: Answer, headers: CIMultiDict[str]) -> web.Response:
    if len(answer.body) > SLICE:
        # A payload is written in slices; bytes would wait as a whole for a slow client.
        return web.Response(body=BytesIOPayload(BytesIO(answer.body), headers=CIMultiDict()), headers=headers)
    return web.Response(body=answer.body, headers=headers)


def json_answer(body: bytes, headers: LooseHeaders | None = None) -> web.Response:
    response = web.Response(body=body, headers=headers)
    response.headers["Content-Type"] = JSON
    response.headers.setdefault("Cache-Control", "no-cache")
    return response


def is_conditional(request: web.BaseRequest) -> bool:
    return "If-None-Match" in request.headers or "If-Modified-Since" in request.headers


def is_unchanged(request: web.BaseRequest, etag: str, modified_second: int | None = None) -> bool:
    """Whether the client's copy still holds (RFC 9110, 13.1): If-None-Match goes before If-Modified-Since."""
    headers = request.headers
    if "If-None-Match" in headers:
        tags = [tag.strip() for value in headers.getall("If-None-Match") for tag in value.split(",")]
        return "*" in tags or etag.removeprefix("W/") in (tag.removeprefix("W/") for tag in tags)
    since = headers.get("If-Modified-Since")
    if since is None or modified_second is None:
        return False
    moment = _http_moment(since)
    return moment is not None and modified_second <= moment


@lru_cache(maxsize=4096)
def http_date(second: int) -> str:
    """Sun, 06 Nov 1994 08:49:37 GMT."""
    return format_datetime(datetime.fromtimestamp(second, UTC), usegmt=True)


def _http_moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None

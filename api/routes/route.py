"""What a line of the table of routes says, and how it becomes a guarded handler."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from marshmallow import Schema

from api.context import CONTEXT, ApiContext
from api.errors import http_problem
from api.gate import CHANGING, Handler
from api.keys import KeyNeed
from api.queries import NoQuerySchema, QuerySchema, query_of
from shared.domain.currency import LARGEST_ID
from shared.errors import FreshrateError, NotFound, UnknownCurrency

RouteHandler = Callable[[web.Request, Any], Awaitable[web.StreamResponse]]
"""Gets the request and its validated query."""

_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One request of the contract. Router, guard and OpenAPI document are all made of these."""

    path: str
    handler: RouteHandler
    summary: str
    tag: str
    method: str = "GET"
    description: str = ""
    query: type[QuerySchema] = NoQuerySchema
    body: Mapping[str, Any] | None = None
    """What OpenAPI says of the request's body. The handler reads it, and asks for it where the client expects that."""
    answers: type[Schema] | str | None
    """The schema of a 200, or the media type of what is no JSON; None where no 200 is ever answered."""
    example: Mapping[str, Any] | None = None
    text_examples: Mapping[str, str] = field(default_factory=dict)
    """Further media types of a 200, as text, each with an example."""
    errors: tuple[type[FreshrateError], ...] = ()
    problem: type[Schema] | None = None
    """The schema of problems with more members than usual, for 502, 503 and 504."""
    needs_key: KeyNeed = KeyNeed.NEVER
    has_head: bool = True
    """Whether HEAD does the same as GET; not where asking may spend credits."""
    redirects: tuple[int, ...] = ()
    """Statuses without a body that it may answer."""
    statuses: tuple[int, ...] = ()
    """Further statuses, with the same schema as 200."""
    is_documented: bool = True
    """False for the files of pages."""


def guarded(route: Route) -> Handler:
    """The handler with everything around it that the table asks for."""
    schema = route.query()

    async def handle(request: web.Request) -> web.StreamResponse:
        request.app[CONTEXT].keys.check(request, route.needs_key)
        return await route.handler(request, await query_of(request, schema))

    return handle


async def expected(request: web.Request) -> web.StreamResponse | None:
    """Answers Expect: 100-continue as aiohttp does, and any other expectation with a problem.

    Where a body matters, whoever reads it asks for it, once the request has passed all that can be checked without it.
    """
    if request.headers.get("Expect", "").lower() != "100-continue":
        return http_problem(web.HTTPExpectationFailed())
    if request.method not in CHANGING:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return None


async def current_id(request: web.Request, api: ApiContext) -> int:
    """The currency in the path; raises a redirect where it is a local one that turned out to be another."""
    currency_id = id_in_path(request, "currency_id", UnknownCurrency)
    successor = api.catalog.successor(currency_id)
    if successor is not None:
        path = request.rel_url.raw_path.removesuffix(f"{currency_id}/")
        query = request.rel_url.raw_query_string
        raise web.HTTPPermanentRedirect(f"{path}{successor}/{'?' if query else ''}{query}")
    return currency_id


def id_in_path(request: web.Request, name: str, missing: type[NotFound]) -> int:
    """The positive integer in the path; what is none is an address where nothing is."""
    text = request.match_info[name]
    if not _ID.fullmatch(text) or int(text) > LARGEST_ID:
        raise missing
    return int(text)

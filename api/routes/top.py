"""The top list, of now or of any past moment, as JSON or CSV; and the root of the server, where it is CSV."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime

import structlog
from aiohttp import hdrs, web

from api import request_ids
from api.answers import Answer, ready_response
from api.context import CONTEXT, ApiContext
from api.encoded import taken
from api.errors import STALE_HEADER
from api.examples import TOP
from api.freshness import FAILURES
from api.gate import PROBLEM, REQUEST_ID
from api.queries import RootQuerySchema, TopQuery, TopQuerySchema
from api.routes.dashboard import page_answer
from api.routes.route import Route
from api.schemas import TopSchema
from api.settled import settled
from api.top.as_of import PastTop
from api.top.formats import ENCODINGS, Format, list_headers
from api.top.paths import Wanted
from api.top.top import Top
from api.weighted import names
from shared.errors import CatalogNotLoaded, FreshrateError, InvalidInput

log = structlog.get_logger(__name__)

PATH = "/api/top/"
ROOT = "/"
_VARY = {"Vary": "Accept"}
_EXAMPLES = {"text/csv": "Rank,Symbol,Price USD\r\n1,BTC,42885.00187617128\r\n"}
_ERRORS: tuple[type[FreshrateError], ...] = (InvalidInput, CatalogNotLoaded, *FAILURES)


def ready_in(top: Top, *, at_root: bool) -> Callable[[str, float], Answer | None]:
    """For the fast lane: the list of now that a raw path asks for, where it lies ready in memory."""

    def ready(raw_path: str, now: float) -> Answer | None:
        wanted = top.paths.get(raw_path)
        return top.ready(wanted, now) if wanted and wanted.is_at_root is at_root else None

    return ready


async def show_top(request: web.Request, query: TopQuery) -> web.StreamResponse:
    return await _answer(request, query, at_root=False)


async def show_root(request: web.Request, query: TopQuery) -> web.StreamResponse:
    """Browsers that ask for nothing else get the dashboard; everybody else gets the list."""
    if not request.rel_url.raw_query_string and _is_browser(request):
        return page_answer(request)
    return await _answer(request, query, at_root=True)


def _is_browser(request: web.Request) -> bool:
    return names(request, hdrs.ACCEPT, "text/html")


async def _answer(request: web.Request, query: TopQuery, *, at_root: bool) -> web.StreamResponse:
    api = request.app[CONTEXT]
    if query.moment is not None:
        return await _past(request, api, query, query.moment, at_root=at_root)
    wanted = Wanted(query.limit, query.format, at_root)
    answer = await api.top.now(wanted, request_id=request[REQUEST_ID])
    if request.rel_url.raw_query_string or not at_root:
        api.top.paths.learn(request.raw_path, wanted)
    return ready_response(request, answer, api.clock().timestamp(), request[REQUEST_ID])


async def _past(
    request: web.Request, api: ApiContext, query: TopQuery, moment: datetime, *, at_root: bool
) -> web.StreamResponse:
    await settled(moment, api.clock)
    past = await api.top.past(moment, query.limit)
    headers = {
        "Content-Type": ENCODINGS[query.format].content_type,
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        request_ids.HEADER: request[REQUEST_ID],
        **list_headers(query.format, past.facts, limit=query.limit, moment=moment),
        **({STALE_HEADER: "true"} if past.facts.is_stale else {}),
        **(_VARY if at_root else {}),
    }
    return await _stream(request, headers, past, query.format)


async def _stream(
    request: web.Request, headers: dict[str, str], past: PastTop, format_: Format
) -> web.StreamResponse:
    """Once the head is sent, a failure can only be told by cutting the answer off."""
    response = web.StreamResponse(headers=headers)
    async with aclosing(past.chunks(format_)) as chunks:
        first = await anext(chunks)
        try:
            await response.prepare(request)
            await taken(request, response.write(first))
            await _rest(request, response, chunks)
        except ConnectionResetError as error:
            log.debug("client left", error=str(error))
        except FreshrateError as error:
            request[PROBLEM] = error
            log.warning("top list cut off", error=str(error))
            if request.transport is not None:
                request.transport.abort()
    return response


async def _rest(request: web.Request, response: web.StreamResponse, chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        await taken(request, response.write(chunk))
    await response.write_eof()


_DESCRIPTION = (
    "Ranking (by the volume of 24 hours) and prices come from different sources where there are two. Without `datetime`: "
    "what the sources say, not older than CACHE_TTL_SECONDS; where none answers, the last known list, stale. With "
    "`datetime`: the list as it was known then, which does not change any more."
)

ROUTES = (
    Route(
        path=PATH,
        handler=show_top,
        summary="The top currencies with their prices",
        description=_DESCRIPTION,
        tag="Top list",
        query=TopQuerySchema,
        answers=TopSchema,
        example=TOP,
        text_examples=_EXAMPLES,
        errors=_ERRORS,
        redirects=(304,),
        has_head=False,
    ),
    Route(
        path=ROOT,
        handler=show_root,
        summary="The same list, as CSV unless asked for as JSON",
        description="A browser that asks without parameters gets the dashboard, a page.",
        tag="Top list",
        query=RootQuerySchema,
        answers=TopSchema,
        example=TOP,
        text_examples=_EXAMPLES,
        errors=_ERRORS,
        redirects=(304,),
        has_head=False,
    ),
)

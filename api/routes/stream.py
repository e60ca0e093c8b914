"""Live rates as server-sent events."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter

from aiohttp import web

from api.context import CONTEXT, ApiContext
from api.fields import IdList
from api.gate import LIVES_ON, is_foreign, log_end
from api.live.client import Ids
from api.live.event_stream import EventStream
from api.live.wanted import MOST_IDS, wanted
from api.live.wire import End
from api.queries import QuerySchema
from api.routes.route import Route
from shared.errors import ForeignListener, InvalidInput, StreamsBusy, UnknownCurrencies, UnknownCurrency

PATH = "/api/stream/"
FIRST_LISTING_SECONDS = 2.0
"""So long a stream waits for the first listing of a process that has just started, so that it begins with all rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuery:
    ids: tuple[int, ...] = ()


class StreamQuerySchema(QuerySchema):
    made_of = StreamQuery
    ids = IdList(
        most=MOST_IDS,
        data_key="currency",
        metadata={
            "description": f"Only these currencies: up to {MOST_IDS} ids, comma-separated. Without: all.",
            "example": "1,1027",
        },
    )


async def stream_rates(request: web.Request, query: StreamQuery) -> web.StreamResponse:
    api = request.app[CONTEXT]
    await check_listener(request, api)
    ids: Ids = None
    unknown: Sequence[int] = ()
    if query.ids:
        found = await wanted(api.catalog, query.ids)
        if not found.ids:
            raise UnknownCurrencies(found.unknown)
        api.memory.note_asked(found.ids, api.clock().timestamp())
        ids, unknown = found.ids, found.unknown
    api.live.check_room(ids)  # after all that waits, so that none who waited comes on top
    heard = request.headers.get("Last-Event-ID")
    on_end = on_end_of(request, HTTPStatus.OK)
    return EventStream(api.live, ids=ids, unknown=unknown, heard=heard or None, on_end=on_end)


async def check_listener(request: web.Request, api: ApiContext) -> None:
    """Raises ForeignListener or StreamsBusy. Waits a moment for a process that has just started."""
    if is_foreign(request):
        raise ForeignListener
    api.live.check_room()
    if not api.top.is_listed.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LISTING_SECONDS):
                await api.top.is_listed.wait()


def on_end_of(request: web.Request, status: HTTPStatus) -> Callable[[End], None]:
    """Logs the end of what goes on after its head."""
    began = perf_counter()
    request[LIVES_ON] = True

    def on_end(end: End) -> None:
        log_end(request, status, perf_counter() - began, f"ended: {end.value}")

    return on_end


_EXAMPLE = """\
retry: 1874

event: state
data: {"resumed":false,"reason":"first","unknown":[]}

event: rate
id: 5f0e4a7c9b12-1a3
data: {"id":48213,"currency":1,"symbol":"BTC","price_usd":"42885.00187617128", ...}

event: rate
id: 5f0e4a7c9b12-1a4
data: {"id":48301,"currency":1,"symbol":"BTC","price_usd":"42891.4410027718", ...}

:

event: end
data: {"reason":"stopping","detail":"This process is stopping. Connect again."}
"""

_DESCRIPTION = (
    "First an event `state`, then the current rates, then every rate that becomes the last one of its currency, as `lastrate` "
    "would answer it. A rate that is only confirmed is not told again. A comment every 15 s keeps the connection open. Whoever "
    "comes back with `Last-Event-ID`, as browsers do by themselves, is told what was missed where this process still holds it "
    "(`resumed` is true); else the current rates again, and `reason` says why: `first`, `another-process`, `too-old` or "
    "`not-ours`. Come back for the same currencies: of others that are named then only what was missed is told, not their current "
    "rates. The id is opaque; of the current rates only the last has one, so a beginning that was cut off begins anew. A "
    "stream that we end says so by an event `end` with the `reason`: `slow` (the client did not take what it was sent), "
    "`stopping` or `broken`. What is asked for by id is polled while somebody listens."
)

ROUTES = (
    Route(
        path=PATH,
        handler=stream_rates,
        summary="Live rates as server-sent events",
        description=_DESCRIPTION,
        tag="Live",
        query=StreamQuerySchema,
        answers="text/event-stream",
        text_examples={"text/event-stream": _EXAMPLE},
        errors=(InvalidInput, ForeignListener, UnknownCurrency, StreamsBusy),
        has_head=False,
    ),
)

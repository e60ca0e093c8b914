"""Live rates over a WebSocket."""

from contextlib import suppress
from http import HTTPStatus

from aiohttp import web

from api import request_ids
from api.context import CONTEXT
from api.gate import REQUEST_ID, is_foreign
from api.live.rate_socket import RateSocket
from api.queries import NoQuery
from api.routes.route import Route
from api.routes.stream import check_listener, on_end_of
from shared.errors import ForeignListener, InvalidInput, StreamsBusy, UpgradeRequired

PATH = "/api/ws/"


async def open_socket(request: web.Request, _query: NoQuery) -> web.StreamResponse:
    api = request.app[CONTEXT]
    socket = RateSocket(api.live, catalog=api.catalog, memory=api.memory, clock=api.clock)
    if not is_foreign(request) and not socket.can_prepare(request):
        raise UpgradeRequired
    await check_listener(request, api)
    api.live.check_room()
    socket.on_end = on_end_of(request, HTTPStatus.SWITCHING_PROTOCOLS)
    socket.headers[request_ids.HEADER] = request[REQUEST_ID]
    with suppress(ConnectionError):  # it has gone; nobody hears the answer
        await socket.prepare(request)
    return socket


_DESCRIPTION = (
    "A WebSocket (RFC 6455): a GET with `Upgrade: websocket` is answered by 101, which this page cannot try. Then the client "
    'says which currencies it wants, by id, as JSON text: `{"subscribe": [1, 1027]}`, `{"unsubscribe": [1]}`, or "all" instead '
    'of the ids; at most 1000 are named on one connection. It is told `{"rate": {...}}`, a rate as `lastrate` answers it: the '
    "current ones of what it subscribes to at once, and then every one that becomes the last of its currency. What cannot be "
    'done is told as `{"error": {...}}`, a problem as elsewhere, and the connection stays. A ping goes out every 15 s; whoever '
    "does not answer it is cut off. Close codes: 1001, this process is stopping; 1013, the client did not take what it was "
    "sent; 1009, a message of more than 64 KiB; 1011, a defect. Connect again and subscribe anew."
)

ROUTES = (
    Route(
        path=PATH,
        handler=open_socket,
        summary="Live rates over a WebSocket",
        description=_DESCRIPTION,
        tag="Live",
        answers=None,
        redirects=(101,),
        errors=(InvalidInput, ForeignListener, UpgradeRequired, StreamsBusy),
        has_head=False,
    ),
)

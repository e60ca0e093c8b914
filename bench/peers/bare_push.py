"""The plain way to push: aiohttp on uvloop, one `await send_str` per client and message. python -m bench.peers.bare_push PORT

Every line that is posted to `/` goes to every WebSocket. No filter, no state at the start, no way to catch up, no bound for a slow client,
no metrics.
"""

import resource
import sys

import uvloop
from aiohttp import WSMsgType, web

SOCKETS: web.AppKey[set[web.WebSocketResponse]] = web.AppKey("sockets", set)


async def serve_socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False, heartbeat=15)
    await socket.prepare(request)
    sockets = request.app[SOCKETS]
    sockets.add(socket)
    try:
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
    finally:
        sockets.discard(socket)
    return socket


async def push(request: web.Request) -> web.Response:
    sockets = request.app[SOCKETS]
    for line in (await request.text()).splitlines():
        for socket in list(sockets):
            await socket.send_str(line)
    return web.Response()


async def ready(_request: web.Request) -> web.Response:
    return web.Response()


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    app = web.Application()
    app[SOCKETS] = set()
    app.router.add_get("/", ready)
    app.router.add_post("/", push)
    app.router.add_get("/ws/", serve_socket)
    port = int(sys.argv[1])
    web.run_app(app, host="127.0.0.1", port=port, loop=uvloop.new_event_loop(), access_log=None, print=None)


if __name__ == "__main__":
    main()

"""Listening, and stopping in order: accept nothing more, finish what is in hand, be gone within 10 s."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import structlog
from aiohttp import http_parser, http_writer, web

from api.context import CONTEXT
from api.dashboard.page import load_page
from api.lane import Express, FastLane
from api.live.places import raise_limit_of_files
from api.protocol import HeadDeadlineServer, with_head_deadline
from api.routes import last_rate, quotes, top
from shared.errors import FreshrateError, SettingsError
from shared.settings import Settings

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)

KEEP_ALIVE_SECONDS = 75.0
LEAVE_SECONDS = 1.0
"""For one more request on connections that are kept alive; what is idle for longer is closed."""
FINISH_SECONDS = 4.5
"""For requests in hand then."""
LINGER_SECONDS = 0.3
"""For what a client still sends behind an answer that came before the end of its body."""
CLEANUP_SECONDS = 6.5
"""After which the rest is cut off."""
_LOOK_SECONDS = 0.02
BACKLOG = 4096
"""Connections that wait to be accepted: after a restart thousands come at once. The system may allow fewer."""


class ApiRunner(web.AppRunner):
    """aiohttp's runner, with the fast lane ahead of the router and deadlines for request heads."""

    def __init__(self, app: web.Application) -> None:
        super().__init__(
            app,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            shutdown_timeout=FINISH_SECONDS,
            auto_decompress=False,  # nothing here takes a compressed body, so none is inflated
        )
        self._is_closing = False

    async def leave(self) -> None:
        """Accepts no connection more, and sees those off that there are."""
        for site in list(self.sites):
            await site.stop()
        self.app[CONTEXT].live.stop()
        server = self.server
        if not isinstance(server, HeadDeadlineServer):
            return
        server.leave()
        end = asyncio.get_running_loop().time() + LEAVE_SECONDS
        while server.connections and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(_LOOK_SECONDS)

    async def shutdown(self) -> None:
        self._is_closing = True
        await super().shutdown()

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        api = self.app[CONTEXT]
        lane = FastLane(
            expresses=(
                Express(last_rate.PATH, last_rate.ready_in(api.memory)),
                Express(quotes.PATH, api.quotes.ready),
                Express(top.PATH, top.ready_in(api.top, at_root=False)),
                Express(top.ROOT, top.ready_in(api.top, at_root=True)),
            ),
            application=partial(self._answer, server.request_handler),
            clock=api.clock,
            metrics=api.request_metrics,
            log=api.request_log,
        )
        return with_head_deadline(server, lane)

    async def _answer(self, application: Handler, request: web.BaseRequest) -> web.StreamResponse:
        """At a stop aiohttp closes a connection as soon as its answer is sent. To close one on which a body still arrives is to
        reset it, and then many clients never read the answer: so it is sent here, and what arrives is dropped for a moment."""
        response = await application(request)
        if self._is_closing and not request.content.is_eof():
            with suppress(OSError, web.RequestPayloadError):  # the client has gone, or goes on for longer
                await response.prepare(request)
                await response.write_eof()
                async with asyncio.timeout(LINGER_SECONDS):
                    while not request.content.at_eof():
                        await request.content.readany()
        return response


def require_c_extensions() -> None:
    """aiohttp falls back to pure Python silently: four times slower, and another parser than the tested one."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise RuntimeError("aiohttp lacks its C parser here: install a wheel of it.")
    if http_writer._serialize_headers is http_writer._py_serialize_headers:  # noqa: SLF001 - the only place that tells
        raise RuntimeError("aiohttp lacks its C writer here: install a wheel of it.")


async def _load_dashboard() -> None:
    """Reads its files before anybody waits for them. Raises FreshrateError where they are not whole."""
    try:
        await asyncio.to_thread(load_page)
    except (ModuleNotFoundError, OSError) as error:
        raise FreshrateError(
            f"The dashboard's files are not whole ({error}): install the packages of the requirements anew."
        ) from error


async def _listen(runner: ApiRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
    except OSError as error:
        raise SettingsError(
            f"API_HOST, API_PORT: cannot listen on {host} port {port} ({error.strerror})."
        ) from error


async def serve_app(app: web.Application, settings: Settings, stop: asyncio.Event) -> None:
    """Listens on every port of API_PORT until `stop`, then stops in order."""
    require_c_extensions()
    raise_limit_of_files()
    await _load_dashboard()
    runner = ApiRunner(app)
    try:
        await runner.setup()
        for port in settings.api_port:
            await _listen(runner, settings.api_host, port)
        addresses = [f"http://{address[0]}:{address[1]}" for address in runner.addresses]
        log.info("api ready", addresses=addresses)
        await stop.wait()
        log.info("api stopping")
        await runner.leave()
    finally:
        try:
            await asyncio.wait_for(runner.cleanup(), CLEANUP_SECONDS)
        except TimeoutError:
            log.warning("api cut off what was still in hand")

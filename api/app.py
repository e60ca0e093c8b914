"""The application: its parts, put together from what it is given. Reads no environment and opens nothing."""

import asyncio
import sys
from collections.abc import AsyncIterator

from aiohttp import web

from api.candles.sparklines import Sparklines
from api.catalog import Catalog
from api.catalog_renewals import CatalogRenewals
from api.context import CONTEXT, ApiContext
from api.deals.answers import DealsAnswers
from api.deals.uploads import Uploads
from api.demand import Demand
from api.direct import DirectVisits, RateVisitor
from api.gate import gate
from api.keys import Keys
from api.limits import RateLimit
from api.live.beat import Beat
from api.live.hub import LiveRates
from api.lookup import Lookup
from api.market.market import Market
from api.market.status import Status
from api.memory import RateMemory
from api.metrics import RateAge, RefreshMetrics, RequestMetrics, StreamGauges
from api.quotes.quotes import Quotes
from api.refresh import Refresher
from api.request_log import RequestLog
from api.river import River
from api.routes import add_routes
from api.staleness import Staleness
from api.symbols import Symbols
from api.top.top import Top
from shared.domain.times import Clock, utc_now
from shared.ports import Queue, Storage
from shared.registry import Registry
from shared.settings import Settings

LARGEST_BODY = 1024 * 1024
LAST_WAIT = 4.0
"""Seconds for which a stopping process lets its clients wait for fresh rates, and goes on with uploads."""


def create_app(
    *,
    settings: Settings,
    storage: Storage,
    queue: Queue,
    visitor: RateVisitor,
    clock: Clock = utc_now,
    registry: Registry | None = None,
) -> web.Application:
    """Storage and queue stay the caller's to close."""
    app = web.Application(middlewares=[gate], client_max_size=LARGEST_BODY)
    app[CONTEXT] = _context(
        settings=settings,
        storage=storage,
        queue=queue,
        visitor=visitor,
        clock=clock,
        registry=Registry() if registry is None else registry,
    )
    add_routes(app)
    app.cleanup_ctx.append(_demand)
    app.cleanup_ctx.append(_refreshes)
    app.cleanup_ctx.append(_live)
    app.cleanup_ctx.append(_river)
    app.on_shutdown.append(_end_streams)
    app.on_shutdown.append(_stop_waiting_soon)
    return app


def _context(
    *,
    settings: Settings,
    storage: Storage,
    queue: Queue,
    visitor: RateVisitor,
    clock: Clock,
    registry: Registry,
) -> ApiContext:
    catalog = Catalog(storage, clock)
    memory = RateMemory(
        storage=storage,
        sources=settings.price_sources,
        ttl=settings.cache_ttl_seconds,
        stale_after=Staleness(settings, catalog, now=clock()),
        is_fiat=catalog.is_fiat,
        clock=clock,
    )
    refresher = Refresher(
        queue=queue,
        memory=memory,
        clock=clock,
        timeout=settings.refresh_timeout_seconds,
        metrics=RefreshMetrics(registry),
    )
    lookup = Lookup(
        memory=memory,
        refresher=refresher,
        clock=clock,
        min_interval=settings.refresh_min_interval_seconds,
    )
    request_metrics = RequestMetrics()
    registry.register(request_metrics)
    registry.register(RateAge(lambda: memory.newest_fetch, clock))
    top = Top(
        settings=settings,
        storage=storage,
        queue=queue,
        memory=memory,
        catalog=catalog,
        refresher=refresher,
        clock=clock,
        registry=registry,
    )
    renewals = CatalogRenewals(queue=queue, clock=clock, timeout=settings.refresh_timeout_seconds)
    symbols = Symbols(catalog=catalog, renewals=renewals, clock=clock)
    river = River(
        storage=storage,
        queue=queue,
        memory=memory,
        catalog=catalog,
        refresher=refresher,
        top=top,
        renewals=renewals,
        clock=clock,
    )
    registry.register(StreamGauges(river))
    live = LiveRates(memory=memory, clock=clock)
    registry.register(live.metrics)
    return ApiContext(
        settings=settings,
        storage=storage,
        queue=queue,
        clock=clock,
        registry=registry,
        memory=memory,
        catalog=catalog,
        refresher=refresher,
        lookup=lookup,
        direct=DirectVisits(
            visitor=visitor,
            queue=queue,
            memory=memory,
            clock=clock,
            timeout=settings.refresh_timeout_seconds,
        ),
        top=top,
        symbols=symbols,
        quotes=Quotes(
            settings=settings,
            storage=storage,
            catalog=catalog,
            symbols=symbols,
            lookup=lookup,
            clock=clock,
        ),
        deals=DealsAnswers(storage=storage, catalog=catalog, symbols=symbols, settings=settings, clock=clock),
        uploads=Uploads(storage=storage, settings=settings, clock=clock, registry=registry),
        sparklines=Sparklines(storage=storage, catalog=catalog, clock=clock),
        market=Market(
            memory=memory, catalog=catalog, top=top.current, stale_after=settings.stale_after_seconds
        ),
        status=Status(
            settings=settings,
            storage=storage,
            queue=queue,
            memory=memory,
            catalog=catalog,
            river=river,
            top=top.current,
            clock=clock,
        ),
        renewals=renewals,
        river=river,
        live=live,
        beat=Beat(live=live, memory=memory, catalog=catalog, clock=clock),
        demand=Demand(storage, memory, clock),
        keys=Keys(settings.api_keys, clock),
        refresh_limit=RateLimit(settings.refreshes_per_minute, clock),
        request_metrics=request_metrics,
        request_log=_request_log(settings),
    )


def _request_log(settings: Settings) -> RequestLog:
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    return RequestLog(sys.stderr, as_json=as_json, is_enabled=settings.log_level in {"debug", "info"})


async def _refreshes(app: web.Application) -> AsyncIterator[None]:
    api = app[CONTEXT]
    yield
    await api.top.close()
    await api.refresher.close()
    await api.renewals.close()
    await api.direct.close()
    await api.memory.close()
    await api.quotes.cards.close()
    await api.deals.close()
    await api.uploads.close()
    await api.status.close()
    api.request_log.flush()


async def _demand(app: web.Application) -> AsyncIterator[None]:
    """Set up first, so ended last: what a stop in a hurry cuts off is this."""
    demand = app[CONTEXT].demand
    task = asyncio.create_task(demand.run(), name="demand")
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await demand.close()


async def _river(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(app[CONTEXT].river.run(), name="river")
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _live(app: web.Application) -> AsyncIterator[None]:
    api = app[CONTEXT]
    tasks = [
        asyncio.create_task(api.live.run(), name="live streams"),
        asyncio.create_task(api.beat.run(), name="live beat"),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _end_streams(app: web.Application) -> None:
    app[CONTEXT].live.stop()


async def _stop_waiting_soon(app: web.Application) -> None:
    """Requests in hand are finished, but a process that stops cannot wait the whole refresh timeout, or for a large file."""
    api = app[CONTEXT]
    api.uploads.stop_receiving()
    for waited_for in (api.refresher, api.top.rankings, api.renewals, api.uploads):
        asyncio.get_running_loop().call_later(LAST_WAIT, waited_for.stop)

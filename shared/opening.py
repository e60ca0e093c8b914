"""Opens the adapters that the settings name: the one place where processes get their storage, queue and sources."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from shared.domain.times import Clock, utc_now
from shared.errors import SettingsError
from shared.gauges import AllowanceGauges, DatabaseGauges, QueueGauges
from shared.ports import PriceSource, Queue, Storage
from shared.process_meters import watch_process
from shared.queue import open_queue
from shared.registry import Registry
from shared.settings import Settings
from shared.sources import build_fiat_source, build_sources
from shared.storage import open_storage
from shared.storage.address import place
from shared.upstream import Upstream
from shared.visit_meters import VisitMeters
from shared.visitor import Visitor


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside that a process works with."""

    settings: Settings
    storage: Storage
    queue: Queue
    sources: tuple[PriceSource, ...]
    """Those that SOURCES names and that can be asked, the preferred first."""
    fiat_source: PriceSource
    """Knows fiat currencies alone, and is asked for them before all others."""
    upstream: Upstream
    visitor: Visitor
    clock: Clock
    registry: Registry
    meters: VisitMeters


def require_servers(settings: Settings) -> None:
    """Raises SettingsError where a process of the production shape lacks its servers."""
    missing = []
    if not settings.database.startswith("postgres"):
        missing.append(
            "DATABASE_URL=postgresql://user:password@host/name (or DATABASE_TYPE=postgresql and its parts)"
        )
    if not settings.redis_url:
        missing.append("REDIS_URL=redis://host:6379")
    if missing:
        raise SettingsError(
            f"This process shares its data with others: set {' and '.join(missing)}, or run python -m standalone, "
            "which needs neither."
        )


async def _require_kind(settings: Settings, storage: Storage) -> None:
    """Raises SettingsError where the database is for the other kind of rates."""
    holds_simulated = await storage.settle_kind(is_simulated=settings.is_simulated)
    if holds_simulated is settings.is_simulated:
        return
    where = place(settings.database)
    if holds_simulated:
        raise SettingsError(
            f"SOURCES: {where} is for simulated rates, which must not mix with real ones. Real ones need a database of "
            "their own: set DATABASE_URL, or in containers delete the simulated one by docker compose --profile demo down "
            "--volumes. Or set SOURCES=simulator."
        )
    raise SettingsError(
        f"SOURCES: {where} is for real rates, which must not mix with simulated ones. Simulated ones need a database of "
        "their own: set DATABASE_URL, or in containers begin another project by docker compose --project-name. Or take "
        "simulator out of SOURCES."
    )


@asynccontextmanager
async def open_world(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[World]:
    """Opens everything, and closes it in reverse order."""
    registry = Registry()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(watch_process(registry))
        storage = await open_storage(settings, clock=clock)
        stack.push_async_callback(storage.close)
        await _require_kind(settings, storage)
        queue = await open_queue(settings, clock=clock)
        stack.push_async_callback(queue.close)
        upstream = await stack.enter_async_context(Upstream(storage, clock=clock, registry=registry))
        sources = tuple(build_sources(settings))
        fiat_source = build_fiat_source(settings)
        meters = VisitMeters(registry)
        # The simulator is both: of two of one name, which share their allowance, one is told.
        asked = {source.name: source for source in (fiat_source, *sources)}
        allowances = AllowanceGauges(tuple(asked.values()), upstream, clock)
        books = QueueGauges(queue, settings.command_roles)
        for gauges in (allowances, books, DatabaseGauges(storage)):
            registry.register(gauges)
        for asking in (allowances, books):
            registry.ask_first(asking.ask)
        stack.push_async_callback(registry.close)
        yield World(
            settings=settings,
            storage=storage,
            queue=queue,
            sources=sources,
            fiat_source=fiat_source,
            upstream=upstream,
            visitor=Visitor(
                sources=(fiat_source, *sources),
                upstream=upstream,
                storage=storage,
                clock=clock,
                meters=meters,
            ),
            clock=clock,
            registry=registry,
            meters=meters,
        )

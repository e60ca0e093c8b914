"""The price poll: the top by CoinMarketCap's rank and the named currencies, in as few credits as possible."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared.domain.currency import Currency, CurrencyKind
from shared.domain.visit import VisitReason
from shared.messages import Role
from shared.opening import World
from shared.settings import Settings
from shared.visitor import VisitReport, facts_of
from worker.announce import announce
from worker.job import Job

log = structlog.get_logger(__name__)

TIME_LIMIT = timedelta(seconds=25)
"""Of a visit; two of them fit into the job's lease."""
CATALOG_CHECK = 0.1
"""Seconds between looks for the catalog, which the first poll waits for."""
CATALOG_PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a price poll covers."""

    top: frozenset[int]
    """By yesterday's ranks: one that has left the top since then need not be chased."""
    named: frozenset[int]
    ranks: dict[int, int]
    known: frozenset[int]
    """All that may be stored when a listing brings it: the top of today."""


def tracked(catalog: Sequence[Currency], settings: Settings) -> Tracked:
    """`catalog` by rank. A symbol in TRACKED_SYMBOLS means its best-ranked active currency."""
    active = [one for one in catalog if one.is_active and one.kind is CurrencyKind.CRYPTO]
    by_symbol: dict[str, int] = {}
    for one in active:
        by_symbol.setdefault(one.symbol.casefold(), one.id)
    named = [by_symbol.get(symbol.casefold()) for symbol in settings.tracked_symbols]
    ranks = {one.id: one.rank for one in active if one.rank is not None}
    return Tracked(
        top=frozenset(currency_id for currency_id, rank in ranks.items() if rank <= settings.tracked_top),
        named=frozenset(one for one in named if one is not None),
        ranks=ranks,
        known=frozenset(one.id for one in active),
    )


async def poll_prices(world: World) -> datetime | None:
    """One poll. A named currency that has slipped out of the listing since yesterday is asked for by id.

    All is covered where a source answered for each currency; that it has no rate of one is an answer too.
    """
    catalog = await _catalog(world)
    if not catalog:
        log.warning("no poll before the catalog is loaded")
        return None
    what = tracked(catalog, world.settings)
    started_at = world.clock()
    if not what.top | what.named:
        return started_at
    report = await _visit(world, what.top | what.named, ranks=what.ranks, known=what.known)
    unanswered = report.unanswered
    slipped = {failure.currency_id for failure in report.failures} & what.named & what.top - unanswered
    if slipped:
        unanswered |= (await _visit(world, slipped, ranks={}, known=())).unanswered
    log.info("polled", rates=len(report.recorded), missed=len(report.failures), unanswered=len(unanswered))
    return None if unanswered else started_at


async def _visit(
    world: World, currency_ids: Collection[int], *, ranks: Mapping[int, int], known: Collection[int]
) -> VisitReport:
    report = await world.visitor.visit(
        currency_ids,
        reason=VisitReason.POLL,
        asked_at=world.clock(),
        time_left=TIME_LIMIT,
        ranks=ranks,
        known=known,
    )
    for failure in report.failures:
        log.debug("rate missed", currency=failure.currency_id, detail=failure.detail)
    await announce(world.queue, facts_of(report))
    return report


async def _catalog(world: World) -> list[Currency]:
    """The first poll of all waits a little for the catalog, so that a new installation has rates at once."""
    patience = int(CATALOG_PATIENCE.total_seconds() / CATALOG_CHECK)
    for _ in range(patience):
        catalog = await world.storage.catalog()
        if any(one.kind is CurrencyKind.CRYPTO for one in catalog):
            return catalog
        await asyncio.sleep(CATALOG_CHECK)
    return []


async def pace_prices(world: World) -> timedelta:
    """Polls are stretched so that the month's credits last."""
    source = world.sources[0]
    what = tracked(await world.storage.catalog(), world.settings)
    credits = sum(call.credits for call in source.plan(what.top | what.named, what.ranks))
    return await world.upstream.poll_interval(source, credits)


PRICES = Job(
    name="prices",
    role=Role.PRICING,
    schedule=lambda settings: settings.price_schedule,
    run=poll_prices,
    pace=pace_prices,
)

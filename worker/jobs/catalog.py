"""The catalog: every active currency and every fiat currency, at first start and daily.

A source that suddenly lists far less than is known is not believed: nothing is hidden because of one bad answer.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from shared.domain.currency import CatalogEntry, Currency, CurrencyKind
from shared.domain.schedule import Every
from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.errors import FreshrateError, NotTried, UpstreamMalformed
from shared.messages import CatalogStored, Role
from shared.opening import World
from shared.ports import Call, CatalogSource, Source
from worker.announce import announce
from worker.job import Job

log = structlog.get_logger(__name__)

SMALLEST_SHARE = 0.5
"""Of the currencies known as active, a new catalog must list at least so many."""
TIME_LIMIT = timedelta(seconds=30)


async def renew_catalog(world: World) -> datetime | None:
    """Renews both kinds from the first source that has them."""
    started_at = world.clock()
    known = await world.storage.catalog()
    renewed = dict.fromkeys((CurrencyKind.CRYPTO, CurrencyKind.FIAT), False)
    for source in world.sources:
        if not isinstance(source, CatalogSource):
            continue
        for kind, call in source.catalog().items():
            if not renewed[kind]:
                renewed[kind] = await _renew(world, source, kind, call, known)
    if any(renewed.values()):
        await announce(world.queue, [CatalogStored(currencies=len(await world.storage.catalog()))])
    return started_at if all(renewed.values()) else None


async def _renew(
    world: World,
    source: Source,
    kind: CurrencyKind,
    call: Call[list[CatalogEntry]],
    known: Sequence[Currency],
) -> bool:
    started_at = world.clock()
    spent, failure = 0, None
    try:
        reply = await world.upstream.ask(source, call, time_left=TIME_LIMIT, attempts=3)
        spent = reply.credits
        active = sum(1 for currency in known if currency.kind is kind and currency.is_active)
        if len(reply.value) < active * SMALLEST_SHARE:
            raise UpstreamMalformed(f"{len(reply.value)} currencies listed where {active} are known")
        await world.storage.record_catalog(kind, reply.value, stored_at=world.clock())
        log.info("catalog renewed", source=source.name, kind=kind.value, currencies=len(reply.value))
    except FreshrateError as error:
        failure = error
        log.warning("catalog not renewed", source=source.name, kind=kind.value, error=str(error))
    world.meters.count(source.name, VisitReason.POLL, _outcome(failure))
    await world.storage.record_visit(
        Visit(
            source=source.name,
            reason=VisitReason.POLL,
            what=call.what,
            started_at=started_at,
            duration=world.clock() - started_at,
            outcome=_outcome(failure),
            credits=spent,
            rates_stored=0,
            error=f"{type(failure).__name__}: {failure}" if failure else None,
        )
    )
    return failure is None


def _outcome(failure: FreshrateError | None) -> VisitOutcome:
    if failure is None:
        return VisitOutcome.DONE
    return VisitOutcome.NOT_TRIED if isinstance(failure, NotTried) else VisitOutcome.FAILED


CATALOG = Job(
    name="catalog",
    role=Role.PRICING,
    schedule=lambda _settings: Every(timedelta(days=1)),
    run=renew_catalog,
    lease=timedelta(seconds=120),
)

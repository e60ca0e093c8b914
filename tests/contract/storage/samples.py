"""What the storage is fed with."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.rate import Observation
from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.ports import Storage

NOW = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SOURCE = "coinmarketcap"


def entry(
    currency_id: int,
    *,
    symbol: str | None = None,
    name: str | None = None,
    rank: int | None = None,
    kind: CurrencyKind = CurrencyKind.CRYPTO,
    is_active: bool = True,
    metadata: CurrencyMetadata | None = None,
) -> CatalogEntry:
    currency = Currency(
        id=currency_id,
        name=name or f"Coin {currency_id}",
        symbol=symbol or f"C{currency_id}",
        slug=f"coin-{currency_id}",
        rank=rank,
        is_active=is_active,
        kind=kind,
    )
    return CatalogEntry(currency, metadata or CurrencyMetadata())


async def load_currencies(storage: Storage, count: int) -> None:
    """Currencies 1 to `count`, ranked alike."""
    entries = [entry(number, rank=number) for number in range(1, count + 1)]
    await storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=NOW)


def observation(
    currency_id: int = 1,
    *,
    price: str | Decimal = "42885.00187617128",
    at: datetime = NOW,
    source: str = SOURCE,
) -> Observation:
    return Observation(
        currency_id=currency_id,
        source=source,
        price_usd=Decimal(price),
        volume_24h=Decimal("12345678901.10"),
        market_cap=None,
        percent_change_1h=-0.1,
        percent_change_24h=None,
        observed_at=at,
    )


def visit(*, at: datetime = NOW, error: str | None = None) -> Visit:
    return Visit(
        source=SOURCE,
        reason=VisitReason.POLL,
        what="quotes of 3",
        started_at=at,
        duration=timedelta(milliseconds=321),
        outcome=VisitOutcome.DONE,
        credits=1,
        rates_stored=0,
        error=error,
    )

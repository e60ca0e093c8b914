"""A rate and a failure with everything in them."""

from datetime import UTC, datetime
from decimal import Decimal

from shared.domain.rate import Rate
from shared.domain.visit import Failure, FailureKind

RATE = Rate(
    id=2**53 + 1,
    currency_id=1,
    symbol="BTC",
    price_usd=Decimal("42885.0018761712800000000000000000000001"),
    percent_change_1h=-0.25,
    percent_change_24h=None,
    volume_24h=Decimal("1E-30"),
    market_cap=None,
    source="coinmarketcap",
    observed_at=datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC),
    fetched_at=datetime(2026, 11, 20, 12, 0, 1, tzinfo=UTC),
    stored_at=datetime(2026, 11, 20, 12, 0, 2, 999999, tzinfo=UTC),
)
FAILURE = Failure(currency_id=1, kind=FailureKind.NOT_TRIED, detail="Budget spent.", retry_after=1.5)

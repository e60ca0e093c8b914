"""Rates: a price of a currency in USD that a source stated."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

MAX_AHEAD = timedelta(seconds=60)
"""A source's clock may be ahead of ours by so much; a rate from further in the future is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedPrice:
    """A price in USD that a source stated for a coin of which it is not known yet which currency it is."""

    price_usd: Decimal
    volume_24h: Decimal | None = None
    market_cap: Decimal | None = None
    percent_change_1h: float | None = None
    percent_change_24h: float | None = None
    observed_at: datetime
    """The time that the source states for the price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a source stated, not stored yet."""

    currency_id: int
    source: str
    price_usd: Decimal
    volume_24h: Decimal | None = None
    market_cap: Decimal | None = None
    percent_change_1h: float | None = None
    percent_change_24h: float | None = None
    observed_at: datetime
    """The time that the source states for the price."""

    @classmethod
    def of(cls, price: "StatedPrice", *, currency_id: int, source: str) -> "Observation":
        return cls(
            currency_id=currency_id,
            source=source,
            price_usd=price.price_usd,
            volume_24h=price.volume_24h,
            market_cap=price.market_cap,
            percent_change_1h=price.percent_change_1h,
            percent_change_24h=price.percent_change_24h,
            observed_at=price.observed_at,
        )

    def refusal(self, *, now: datetime, oldest: timedelta) -> str | None:
        """Why this observation must not be stored, or None. `oldest`: the source's own limit of age."""
        if self.observed_at > now + MAX_AHEAD:
            return f"dated in the future: {self.observed_at.isoformat()}"
        if self.observed_at < now - oldest:
            return f"older than the source's limit of {oldest}: {self.observed_at.isoformat()}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A stored observation. One row, never changed."""

    id: int
    currency_id: int
    symbol: str
    price_usd: Decimal
    percent_change_1h: float | None
    percent_change_24h: float | None
    volume_24h: Decimal | None
    market_cap: Decimal | None
    source: str
    observed_at: datetime
    fetched_at: datetime
    """When we last asked and got it: for the last rate of its source its last confirmation, else `stored_at`."""
    stored_at: datetime

    @property
    def position(self) -> tuple[datetime, int]:
        """The order of time within one currency and source."""
        return (self.observed_at, self.id)


class RecordOutcome(StrEnum):
    """What storing an observation came to."""

    STORED = "stored"
    CONFIRMED = "confirmed"
    """It held nothing newer than the last rate, which is therefore confirmed."""


@dataclass(frozen=True, slots=True)
class RecordedRate:
    """The last rate of (currency, source) after an observation was recorded."""

    rate: Rate
    outcome: RecordOutcome

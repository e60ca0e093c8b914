"""Memories of last rates for tests, and questions to them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from api.memory import RateMemory
from shared.domain.rate import Rate
from shared.errors import StorageUnavailable
from shared.ports import Storage
from tests.api.rig import START, ManualClock

EUR = 2790
RATE = Rate(
    id=1,
    currency_id=1,
    symbol="BTC",
    price_usd=Decimal(1),
    percent_change_1h=None,
    percent_change_24h=None,
    volume_24h=None,
    market_cap=None,
    source="coinmarketcap",
    observed_at=START,
    fetched_at=START,
    stored_at=START,
)


def newer(**changes: Any) -> Rate:
    """A later row of the same currency."""
    return replace(RATE, **{"id": 2, "observed_at": START + timedelta(seconds=1), **changes})


def memory_of(storage: Storage, clock: ManualClock) -> RateMemory:
    return RateMemory(
        storage=storage,
        sources=("coinmarketcap", "another"),
        ttl=60,
        stale_after=lambda currency_id: 4500.0 if currency_id == EUR else 900.0,
        is_fiat=EUR.__eq__,
        clock=clock,
    )


def is_live(memory: RateMemory, clock: ManualClock, currency_id: int = 1) -> bool:
    return memory.live(currency_id, clock().timestamp()) is not None


def is_due(memory: RateMemory, clock: ManualClock, currency_id: int = 1) -> bool:
    return memory.is_due(currency_id, clock().timestamp())


def price_in(memory: RateMemory, clock: ManualClock, currency_id: int = 1) -> Decimal | None:
    held = memory.held(currency_id, clock().timestamp())
    return held.rate.price_usd if held else None


async def down(_currency_ids: object = None) -> list[Rate]:
    raise StorageUnavailable

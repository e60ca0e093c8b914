"""A small market for the tests of quotes: two coins, the euro and the rouble, in a rig."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.rate import Rate
from shared.errors import StorageUnavailable
from shared.messages import CatalogStored
from tests.api.rig import Rig, observed, until

PATH = "/api/quotes/"
BTC, ETH, DUP, DUP_UNRANKED, USD, EUR, RUB = 1, 1027, 5, 6, 2781, 2790, 2806
BTC_USD, ETH_USD, EUR_USD = "42885.00187617128", "2500.5", "1.08"
HIT = "freshrate; hit"
STALE_HIT = "freshrate; hit; detail=stale"
STORE = "freshrate; fwd=miss; detail=store"
UPSTREAM = "freshrate; fwd=miss; detail=upstream"
ECB = datetime(2026, 11, 19, 15, tzinfo=UTC)


def fiat(currency_id: int, code: str, name: str, sign: str) -> CatalogEntry:
    currency = Currency(
        id=currency_id,
        name=name,
        symbol=code,
        slug=code.lower(),
        rank=None,
        is_active=True,
        kind=CurrencyKind.FIAT,
    )
    return CatalogEntry(currency, CurrencyMetadata(sign=sign))


FIATS = (
    fiat(USD, "USD", "United States Dollar", "$"),
    fiat(EUR, "EUR", "Euro", "€"),
    fiat(RUB, "RUB", "Russian Ruble", "₽"),
)


async def renew_catalog(rig: Rig) -> None:
    """As a worker does that has renewed it."""
    before = rig.api.catalog.generation
    await rig.queue.announce([CatalogStored(currencies=7)])
    await until(lambda: rig.api.catalog.generation > before)


async def open_market(rig: Rig) -> Rig:
    """Fiat currencies in the catalog; no rates."""
    await rig.storage.record_catalog(CurrencyKind.FIAT, FIATS, stored_at=rig.clock())
    await renew_catalog(rig)
    return rig


async def trade(rig: Rig, *currency_ids: int) -> list[Rate]:
    """Rates as polls bring them now: of these, or of Bitcoin, Ethereum and the euro."""
    observations = {
        BTC: observed(BTC, BTC_USD, observed_at=rig.clock() - timedelta(seconds=60)),
        ETH: observed(ETH, ETH_USD, observed_at=rig.clock() - timedelta(seconds=30)),
        EUR: observed(EUR, EUR_USD, source="frankfurter", observed_at=ECB),
    }
    return await rig.store(*(observations[one] for one in currency_ids or observations))


class Counted:
    """The reads of rates from the store."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads: list[Collection[int]] = []
        self.is_away = False
        self._original = rig.storage.last_rates
        monkeypatch.setattr(rig.storage, "last_rates", self._read)

    async def _read(self, currency_ids: Collection[int] | None = None) -> list[Rate]:
        if self.is_away:
            raise StorageUnavailable
        if currency_ids is not None:
            self.reads.append(sorted(currency_ids))
        return await self._original(currency_ids)


def asked(rig: Rig) -> list[Sequence[int]]:
    """What each command to the pricing workers asked for."""
    return [sorted(command.currency_ids) for command in rig.worker.commands]


async def way(rig: Rig, query: str) -> str:
    """What Cache-Status says of an answer with prices."""
    status, headers = await rig.headers(f"{PATH}?{query}")
    assert status == 200
    said: str = headers["Cache-Status"]
    return said


async def quotes(rig: Rig, query: str) -> dict[tuple[str, str], Any]:
    """By the symbols of what is asked for and of what it is quoted in."""
    body = await rig.get(f"{PATH}?{query}")
    return {(row["symbol"], one["symbol"]): one for row in body["results"] for one in row["quotes"]}


async def prices(rig: Rig, query: str) -> dict[tuple[str, str], Decimal | None]:
    found = await quotes(rig, query)
    return {pair: one["price"] and Decimal(one["price"]) for pair, one in found.items()}

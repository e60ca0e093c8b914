"""Asking for rankings in tests: the simulator as two sources."""

from datetime import timedelta

from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.ranking import Ranking
from shared.domain.visit import VisitReason
from shared.opening import World
from worker.ranking_visit import RankingReport, visit_ranking

TOPLIST = "totalvolfull"
"""In the paths of CryptoCompare's rankings."""
LISTING = "listings"
"""In the paths of CoinMarketCap's."""
COINS = 600
"""In the simulator."""


async def visit(
    world: World, length: int = 200, *, reason: VisitReason = VisitReason.REFRESH, seconds: float = 10
) -> RankingReport:
    return await visit_ranking(
        world, length, reason=reason, asked_at=world.clock(), time_left=timedelta(seconds=seconds)
    )


def ranking_of(report: RankingReport) -> Ranking:
    assert report.ranking is not None, report.failure
    return report.ranking


async def store_catalog(world: World) -> None:
    """A small one, where no source has a catalog."""
    bitcoin = Currency(id=1, name="Bitcoin", symbol="BTC", slug="bitcoin", rank=1, is_active=True)
    entry = CatalogEntry(bitcoin, CurrencyMetadata())
    await world.storage.record_catalog(CurrencyKind.CRYPTO, [entry], stored_at=world.clock())

"""The sources, one file or package each: pure functions that say what to ask and how to read the answer.

A new source is a builder here, and its settings.
"""

from collections.abc import Callable, Iterable

from shared.ports import PriceSource, RankingSource
from shared.settings import Settings
from shared.sources.coinmarketcap import CoinMarketCap
from shared.sources.cryptocompare import CryptoCompare


def _coinmarketcap(settings: Settings) -> PriceSource:
    return CoinMarketCap(
        base_url=settings.coinmarketcap_url,
        api_key=settings.coinmarketcap_api_key,
        calls_per_minute=settings.coinmarketcap_calls_per_minute,
        credits_per_month=settings.coinmarketcap_credits_per_month,
    )


def _cryptocompare(settings: Settings) -> PriceSource:
    return CryptoCompare(
        base_url=settings.cryptocompare_url,
        api_key=settings.cryptocompare_api_key,
        calls_per_minute=settings.cryptocompare_calls_per_minute,
        credits_per_month=settings.cryptocompare_credits_per_month,
    )


def _simulator(settings: Settings) -> PriceSource:
    """The simulator speaks CoinMarketCap's keyless protocol; nobody bills it."""
    return CoinMarketCap(name="simulator", base_url=settings.simulator_url)


BUILDERS: dict[str, Callable[[Settings], PriceSource]] = {
    "coinmarketcap": _coinmarketcap,
    "cryptocompare": _cryptocompare,
    "simulator": _simulator,
}


def build_sources(settings: Settings) -> list[PriceSource]:
    """The sources that SOURCES names and that can be asked, in its order of preference."""
    return [BUILDERS[name](settings) for name in settings.enabled_sources]


def ranking_sources(sources: Iterable[PriceSource]) -> list[RankingSource]:
    """Those of the sources that have a ranking, in the order in which they are asked for it: first those that lead, and
    else as they are preferred."""
    ranking = [source for source in sources if isinstance(source, RankingSource)]
    return sorted(ranking, key=lambda source: not source.leads_ranking)

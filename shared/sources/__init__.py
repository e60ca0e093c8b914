"""The sources, one file or package each: pure functions that say what to ask and how to read the answer.

A new source is a builder here, and its settings.
"""

from collections.abc import Callable, Iterable

from shared.ports import PriceSource, RankingSource
from shared.settings import SIMULATOR, Settings
from shared.sources.coinmarketcap import CoinMarketCap
from shared.sources.cryptocompare import CryptoCompare
from shared.sources.frankfurter import Frankfurter

_FRANKFURTER_CALLS_PER_MINUTE = 30
"""It states no limit and is run for nothing: this is what we think polite, and far more than we need."""


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


def build_fiat_source(settings: Settings) -> PriceSource:
    """The source of fiat currencies; where the rates are simulated, that of the simulator."""
    if settings.is_simulated:
        return Frankfurter(name=SIMULATOR, base_url=settings.simulator_url)
    return Frankfurter(base_url=settings.frankfurter_url, calls_per_minute=_FRANKFURTER_CALLS_PER_MINUTE)


def ranking_sources(sources: Iterable[PriceSource]) -> list[RankingSource]:
    """Those of the sources that have a ranking, in the order in which they are asked for it: first those that lead, and
    else as they are preferred."""
    ranking = [source for source in sources if isinstance(source, RankingSource)]
    return sorted(ranking, key=lambda source: not source.leads_ranking)

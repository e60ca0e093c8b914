"""The sources, one file or package each: pure functions that say what to ask and how to read the answer.

A new source is a builder here, and its settings.
"""

from collections.abc import Callable

from shared.ports import PriceSource
from shared.settings import Settings
from shared.sources.coinmarketcap import CoinMarketCap


def _coinmarketcap(settings: Settings) -> PriceSource:
    return CoinMarketCap(
        base_url=settings.coinmarketcap_url,
        api_key=settings.coinmarketcap_api_key,
        calls_per_minute=settings.coinmarketcap_calls_per_minute,
        credits_per_month=settings.coinmarketcap_credits_per_month,
    )


def _simulator(settings: Settings) -> PriceSource:
    """The simulator speaks CoinMarketCap's keyless protocol; nobody bills it."""
    return CoinMarketCap(name="simulator", base_url=settings.simulator_url)


BUILDERS: dict[str, Callable[[Settings], PriceSource]] = {
    "coinmarketcap": _coinmarketcap,
    "simulator": _simulator,
}


def build_sources(settings: Settings) -> list[PriceSource]:
    """The sources that SOURCES names, in its order of preference."""
    return [BUILDERS[name](settings) for name in settings.sources]

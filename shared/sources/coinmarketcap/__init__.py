"""CoinMarketCap, and whatever speaks its protocol."""

from shared.sources.coinmarketcap.source import CoinMarketCap

__all__ = ["CoinMarketCap"]

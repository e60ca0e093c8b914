"""CryptoCompare (CoinDesk Data), by its `min-api`."""

from shared.sources.cryptocompare.source import CryptoCompare

__all__ = ["CryptoCompare"]

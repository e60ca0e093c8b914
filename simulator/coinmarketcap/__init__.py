"""The HTTP API of CoinMarketCap: map, quotes, listings, info, fiat map and key info, in their versions.

Everything is served twice: with a key, and without one under `/public-api`.
"""

from simulator.coinmarketcap.endpoints import CoinMarketCap

__all__ = ["CoinMarketCap"]

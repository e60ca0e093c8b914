"""Coins of CryptoCompare that people have looked up at CoinMarketCap, because its symbols or names for them differ.

Its id for a coin never changes; symbols do, and a star marks all but the first of those that share one. A coin that
CoinMarketCap and CryptoCompare name alike needs no line here. Lines with a star stand here though their names agree: without
the star they have CoinMarketCap's symbol of several coins, and a name may change.
"""

from collections.abc import Mapping
from types import MappingProxyType

_TABLE = """\
127356|IOT|1720|IOTA, which CoinMarketCap called MIOTA and now IOTA
868276|HOT*|2682|Holo; CoinMarketCap has three coins HOT
218008|BTM*|1866|Bytom
744820|POLY*|2496|Polymath, named Polymath Network here; CoinMarketCap has two coins POLY
918549|PAI*|2900|Project Pai; CoinMarketCap's other PAI is Parrot USD
900419|EDR*|2835|Endor Protocol, named Endor Protocol Token here
945129|TONCOIN|11419|Toncoin, TON at CoinMarketCap, named The Open Network here
953741|MANTLE|27075|Mantle, MNT at CoinMarketCap
348131|RNDR|5690|Render, RNDR before and now RENDER at CoinMarketCap
172091|NANO|1567|Nano, once XRB, XNO at CoinMarketCap
"""
"""CryptoCompare's id and symbol, CoinMarketCap's id, and why."""

KNOWN_COINS: Mapping[str, int] = MappingProxyType(
    {
        source_id: int(currency_id)
        for source_id, _, currency_id, _ in (line.split("|") for line in _TABLE.splitlines())
    }
)
"""The currency by CryptoCompare's id."""

"""The currencies for which the European Central Bank sets reference rates, by the ids that CoinMarketCap gives them."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.sources.coinmarketcap.fiats import FIATS

_SYMBOLS = """
EUR AUD BRL CAD CHF CNY CZK DKK GBP HKD HUF IDR ILS INR ISK JPY KRW MXN MYR NOK NZD PHP PLN RON SEK SGD THB TRY ZAR
"""
"""Without the dollar, which is 1 by definition. Those that ended are not among them: HRK, RUB and, since Bulgaria joined the
euro in 2026, BGN."""

SYMBOLS: Mapping[int, str] = MappingProxyType(
    {int(fiat["id"]): fiat["symbol"] for fiat in FIATS if fiat["symbol"] in _SYMBOLS.split()}
)
"""By currency id."""

"""CryptoCompare's prices, from the object that it calls RAW: `{"USD": {"PRICE", "LASTUPDATE", ...}}`.

DISPLAY beside it is for people (`"Ƀ 0.2672"`, `"Just now"`) and never read.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.domain.money import price_from
from shared.domain.rate import Observation, StatedPrice
from shared.domain.times import EPOCH
from shared.errors import UpstreamMalformed, UpstreamRejected
from shared.ports import Parsed, Quotes, UpstreamAnswer
from shared.sources.cryptocompare.answers import contents_of
from shared.sources.values import amount_or_none, percent_or_none

_USD = "USD"
_MAX_TIME_DIGITS = 10
_NO_DATA = "no data for"


def parse_prices(source: str, asked: Mapping[str, int], answer: UpstreamAnswer) -> Parsed[Quotes]:
    """`asked`: the currencies by the symbols that were asked for. Symbols that it does not know are left out of an answer;
    where it knows none of them it says so in an error, and all are named as rejected."""
    try:
        raw = contents_of(answer).get("RAW")
    except UpstreamRejected as error:
        if _NO_DATA in str(error):
            raise UpstreamRejected(str(error), rejected=tuple(map(str, asked.values()))) from error
        raise
    observations = []
    refused = {}
    for symbol, stated in raw.items() if isinstance(raw, dict) else ():
        if (currency_id := asked.get(symbol)) is None:
            continue
        try:
            observations.append(Observation.of(price_of(stated), currency_id=currency_id, source=source))
        except ValueError as error:
            refused[currency_id] = str(error)
    if not observations and not refused:
        raise UpstreamMalformed("CryptoCompare answered without a single price that was asked for.")
    return Parsed(Quotes(tuple(observations), refused))


def price_of(raw: Any) -> StatedPrice:  # noqa: ANN401 - JSON
    """The price in USD of a RAW object. Raises ValueError, with the reason, where there is none that can be used."""
    quote = raw.get(_USD) if isinstance(raw, dict) else None
    if not isinstance(quote, dict):
        raise ValueError("there is no quote in USD")  # noqa: TRY004 - bad data, whatever its type
    if (price := quote.get("PRICE")) is None:
        raise ValueError("there is no price")
    return StatedPrice(
        price_usd=price_from(price),
        volume_24h=amount_or_none(quote.get("TOTALVOLUME24HTO")),
        market_cap=_market_cap(quote.get("MKTCAP")),
        percent_change_1h=percent_or_none(quote.get("CHANGEPCTHOUR")),
        percent_change_24h=percent_or_none(quote.get("CHANGEPCT24HOUR")),
        observed_at=_time(quote.get("LASTUPDATE")),
    )


def _market_cap(value: object) -> Decimal | None:
    """It states 0 for a coin of which it does not know how many there are."""
    return amount_or_none(value) or None


def _time(value: object) -> datetime:
    """Whole seconds since 1970. Else ValueError."""
    text = value if isinstance(value, str) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_TIME_DIGITS):
        raise ValueError(f"LASTUPDATE is no time: {value!r:.40}")
    return EPOCH + timedelta(seconds=int(text))

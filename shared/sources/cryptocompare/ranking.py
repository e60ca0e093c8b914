"""CryptoCompare's top list by the volume of 24 hours over all markets: its order is the ranking, there is no rank field.

A coin keeps its place whatever is wrong with its price. One that cannot be told by an id and a symbol fails the page: the
ranking would have a hole. `SponsoredData` beside the list is advertising.
"""

from typing import Any

from shared.domain.ranking import RankedCoin, RankingPage
from shared.domain.rate import StatedPrice
from shared.errors import UpstreamMalformed
from shared.ports import Parsed, UpstreamAnswer
from shared.sources.cryptocompare.answers import top_list_of
from shared.sources.cryptocompare.prices import price_of
from shared.sources.values import text_from, text_or_none

_MAX_ID_DIGITS = 18


def parse_page(size: int, answer: UpstreamAnswer) -> Parsed[RankingPage]:
    """`size`: how many places the page was asked to have."""
    coins = tuple(_coin(element) for element in top_list_of(answer))
    return Parsed(RankingPage(coins, size))


def _coin(element: Any) -> RankedCoin:  # noqa: ANN401 - JSON
    stated = _object(element)
    info = _object(stated.get("CoinInfo"))
    try:
        source_id = _id(info.get("Id"))
        symbol = text_from(info.get("Name"))
    except ValueError as error:
        raise UpstreamMalformed("CryptoCompare ranks something without id or symbol.") from error
    return RankedCoin(
        source_id=source_id,
        symbol=symbol,
        name=text_or_none(info.get("FullName")) or symbol,
        price=_price(stated.get("RAW")),
    )


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return value if isinstance(value, dict) else {}


def _id(value: object) -> str:
    text = value if isinstance(value, str) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_ID_DIGITS):
        raise ValueError("no id")
    return text


def _price(raw: object) -> StatedPrice | None:
    try:
        return price_of(raw)
    except ValueError:
        return None

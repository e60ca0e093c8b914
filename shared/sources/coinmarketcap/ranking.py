"""CoinMarketCap's listing by the volume of 24 hours, as a ranking of one page.

The prices are read as those of any listing; a coin keeps its place whatever is wrong with its price.
"""

from typing import Any

from shared.domain.ranking import RankedCoin, RankingPage
from shared.domain.rate import Observation, StatedPrice
from shared.errors import UpstreamMalformed
from shared.ports import Parsed, UpstreamAnswer
from shared.sources.coinmarketcap.answers import contents_of
from shared.sources.coinmarketcap.quotes import id_of, quotes_of
from shared.sources.values import text_or_none


def parse_ranking(source: str, size: int, answer: UpstreamAnswer) -> Parsed[RankingPage]:
    """`size`: how many places were asked for."""
    contents = contents_of(answer)
    if not isinstance(contents.data, list):
        raise UpstreamMalformed("CoinMarketCap answered with a listing that is no list.")
    observed = {one.currency_id: one for one in quotes_of(source, contents.data).observations}
    return Parsed(RankingPage(tuple(_coin(coin, observed) for coin in contents.data), size), contents.credits)


def _coin(coin: Any, observed: dict[int, Observation]) -> RankedCoin:  # noqa: ANN401 - JSON
    currency_id = id_of(coin.get("id")) if isinstance(coin, dict) else None
    if currency_id is None:
        raise UpstreamMalformed("CoinMarketCap ranks something without an id.")
    name, symbol = text_or_none(coin.get("name")), text_or_none(coin.get("symbol"))
    either = name or symbol
    if either is None:
        raise UpstreamMalformed(f"CoinMarketCap ranks {currency_id}, which has neither name nor symbol.")
    observation = observed.get(currency_id)
    return RankedCoin(
        source_id=str(currency_id),
        symbol=symbol or either,
        name=name or either,
        slug=text_or_none(coin.get("slug")) or "",
        price=_price(observation) if observation else None,
    )


def _price(observation: Observation) -> StatedPrice:
    return StatedPrice(
        price_usd=observation.price_usd,
        volume_24h=observation.volume_24h,
        market_cap=observation.market_cap,
        percent_change_1h=observation.percent_change_1h,
        percent_change_24h=observation.percent_change_24h,
        observed_at=observation.observed_at,
    )

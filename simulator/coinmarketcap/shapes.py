"""The JSON objects of CoinMarketCap: a coin with its quotes, an element of the map, the details of a coin.

Numbers go out as JSON numbers with all their digits: mostly the 15 to 17 of a double, for every fifth id twenty, as the
vendor does now and then; a reader that goes through a binary float loses some of those.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from shared.domain.times import iso
from simulator.asking import Ask
from simulator.coins import Coin, Kind
from simulator.market import Market, Moment, Ranking
from simulator.walk import scrambled

_SIMULATED = {"slug": "simulated", "name": "Simulated", "category": "OTHERS"}
_LAYER_1 = {"slug": "layer-1", "name": "Layer 1", "category": "CATEGORY"}
_TOKEN = {"slug": "token", "name": "Token", "category": "CATEGORY"}
_FIAT = {"slug": "fiat", "name": "Fiat", "category": "OTHERS"}
_CHANGES = tuple(f"percent_change_{span}" for span in ("1h", "24h", "7d", "30d", "60d", "90d"))
"""In the order of the market's spans."""
_AUXILIARY = frozenset(
    [
        "num_market_pairs",
        "cmc_rank",
        "date_added",
        "tags",
        "platform",
        "max_supply",
        "circulating_supply",
        "total_supply",
        "is_active",
        "is_fiat",
    ]
)
"""Fields that an `aux` parameter leaves out where it does not name them."""
_LINKS = (
    "website",
    "twitter",
    "message_board",
    "chat",
    "facebook",
    "explorer",
    "reddit",
    "technical_doc",
    "source_code",
    "announcement",
)
_FIRST_ADDED = datetime(2013, 4, 28, tzinfo=UTC)
_LONG_NUMBERS_EVERY = 5
_LOCKED_SHARE = 0.25
"""Of a token's circulating supply, so much more exists that does not circulate, where no maximum is known."""

Json = dict[str, Any]


class Shapes:
    def __init__(self, market: Market) -> None:
        self._market = market
        self._facts: dict[tuple[int, bool, bool], Json] = {}

    def coin(
        self, ask: Ask, coin: Coin, ranking: Ranking, converts: Sequence[Coin], *, version: int, in_list: bool
    ) -> Json:
        """A coin with its quotes. `in_list`: an element of the listings, not of the quotes."""
        moment = ask.distortion.moment(coin.id, ask.moment)
        updated = _updated(ask, coin, moment)
        quotes = [self._quote(ask, coin, moment, convert, ranking, updated) for convert in converts]
        is_newest = version == 3  # noqa: PLR2004 - the version whose quotes are a list
        shape = {
            **self._known(coin, version=version, in_list=in_list),
            "id": ask.distortion.stated_id(coin.id),
            "cmc_rank": ranking.ranks.get(coin.id),
            "last_updated": updated,
            "quote": (
                [_newer(convert, quote) for convert, quote in zip(converts, quotes, strict=True)]
                if is_newest
                else {convert.symbol: quote for convert, quote in zip(converts, quotes, strict=True)}
            ),
        }
        if "aux" in ask.query:
            kept = set(ask.query["aux"].split(","))
            shape = {name: value for name, value in shape.items() if name not in _AUXILIARY or name in kept}
        return shape

    def map_entry(self, ask: Ask, coin: Coin, ranking: Ranking) -> Json:
        return {
            "id": ask.distortion.stated_id(coin.id),
            "rank": ranking.ranks.get(coin.id),
            "name": coin.name,
            "symbol": coin.symbol,
            "slug": coin.slug,
            "is_active": int(coin.kind is Kind.ACTIVE),
            "first_historical_data": _added(coin),
            "last_historical_data": _updated(ask, coin, ask.moment),
            "platform": self._platform(coin),
        }

    def details(self, ask: Ask, coin: Coin) -> Json:
        tags = _tags(coin)
        return {
            "id": ask.distortion.stated_id(coin.id),
            "name": coin.name,
            "symbol": coin.symbol,
            "category": "token" if coin.platform_id else "coin",
            "description": f"{coin.name} ({coin.symbol}) as the simulator knows it.",
            "slug": coin.slug,
            "logo": f"https://example.com/{coin.id}.png",
            "subreddit": "",
            "notice": "",
            "tags": [tag["slug"] for tag in tags],
            "tag-names": [tag["name"] for tag in tags],
            "tag-groups": [tag["category"] for tag in tags],
            "urls": {**{kind: [] for kind in _LINKS}, **_links(coin)},
            "platform": self._platform(coin),
            "date_added": _added(coin),
            "date_launched": None,
            "twitter_username": "",
            "is_hidden": 0,
            "contract_address": [],
            "self_reported_circulating_supply": None,
            "self_reported_tags": None,
            "self_reported_market_cap": None,
            "infinite_supply": _is_infinite(coin),
        }

    def _known(self, coin: Coin, *, version: int, in_list: bool) -> Json:
        has_tag_objects = version > 1 and not in_list
        key = (coin.id, in_list, has_tag_objects)
        known = self._facts.get(key)
        if known is None:
            known = self._facts[key] = self._facts_of(coin, has_tag_objects=has_tag_objects, in_list=in_list)
        return known

    def _facts_of(self, coin: Coin, *, has_tag_objects: bool, in_list: bool) -> Json:
        """What does not change from one answer to the next."""
        facts = {
            "id": coin.id,
            "name": coin.name,
            "symbol": coin.symbol,
            "slug": coin.slug,
            "num_market_pairs": scrambled(coin.id) % 500 + 1 if coin.kind is Kind.ACTIVE else 0,
            "date_added": _added(coin),
            "tags": [tag if has_tag_objects else tag["slug"] for tag in _tags(coin)],
            "max_supply": None if coin.max_supply is None else _whole(coin.max_supply),
            "circulating_supply": _whole(coin.supply),
            "total_supply": _whole(_total_supply(coin)),
            "infinite_supply": _is_infinite(coin),
            "platform": self._platform(coin),
            "self_reported_circulating_supply": None,
            "self_reported_market_cap": None,
            "tvl_ratio": None,
        }
        if not in_list:
            facts["is_active"] = int(coin.kind is Kind.ACTIVE)
            facts["is_fiat"] = int(coin.kind is Kind.FIAT)
        return facts

    def _platform(self, coin: Coin) -> Json | None:
        platform = self._market.by_id.get(coin.platform_id or 0)
        if platform is None:
            return None
        return {
            "id": platform.id,
            "name": platform.name,
            "symbol": platform.symbol,
            "slug": platform.slug,
            "token_address": f"0x{scrambled(coin.id):040x}",
        }

    def _quote(
        self, ask: Ask, coin: Coin, moment: Moment, convert: Coin, ranking: Ranking, updated: str
    ) -> Json:
        market = self._market
        unit = 1.0 if convert.symbol == "USD" else market.price(convert, moment)
        price = market.price(coin, moment) / unit
        cap = coin.supply * price
        is_active = coin.kind is Kind.ACTIVE
        return {
            "price": _price(coin, price, ask.distortion.price(coin.id)),
            "volume_24h": cap * market.turnover(coin) if is_active else 1e-8,
            "volume_change_24h": 0.0,
            **dict(zip(_CHANGES, market.changes(coin, moment), strict=True)),
            "market_cap": cap if is_active else 0,
            "market_cap_dominance": round(100 * cap * unit / ranking.total_cap, 4) if is_active else 0,
            "fully_diluted_market_cap": price * (coin.max_supply or coin.supply),
            "tvl": None,
            "last_updated": updated,
        }


def _tags(coin: Coin) -> list[dict[str, str]]:
    if coin.kind is Kind.FIAT:
        return [_FIAT]
    return [_SIMULATED, _TOKEN if coin.platform_id else _LAYER_1]


def _links(coin: Coin) -> dict[str, list[str]]:
    """Of a dead coin the site is gone."""
    if coin.kind is not Kind.ACTIVE:
        return {}
    site = f"https://example.com/{coin.slug}"
    known = {"website": [site], "explorer": [f"{site}/blocks", f"{site}/addresses"]}
    return known if coin.platform_id else {**known, "source_code": [f"{site}/code"]}


def _total_supply(coin: Coin) -> float:
    """What exists: of a token some does not circulate."""
    if coin.platform_id is None:
        return coin.supply
    return coin.max_supply or round(coin.supply * (1 + _LOCKED_SHARE), 6)


def _is_infinite(coin: Coin) -> bool:
    return coin.kind is Kind.ACTIVE and coin.platform_id is None and coin.max_supply is None


def _newer(convert: Coin, quote: Json) -> Json:
    """The quote as version 3 states it."""
    return {
        "id": convert.id,
        "symbol": convert.symbol,
        **quote,
        "cex_volume_24h": quote["volume_24h"],
        "dex_volume_24h": 0,
        "minted_market_cap": quote["market_cap"],
        "is_market_cap_included_in_calc": True,
    }


def _price(coin: Coin, price: float, distorted: str | None) -> float | orjson.Fragment:
    if distorted is not None:
        return orjson.Fragment(distorted)
    if coin.id % _LONG_NUMBERS_EVERY:
        return price
    return orjson.Fragment(f"{price:.20g}")


def _updated(ask: Ask, coin: Coin, moment: Moment) -> str:
    ms = moment.ms if coin.died_ms is None else coin.died_ms
    return _iso(ask.distortion.stated_ms(coin.id, ms))


@lru_cache(maxsize=1024)
def _iso(ms: int) -> str:
    return iso(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms))


def _added(coin: Coin) -> str:
    """Some date: later ids came later, until they start over."""
    return iso(_FIRST_ADDED + timedelta(days=coin.id % 4500))


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() else value

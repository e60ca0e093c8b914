"""The endpoints of CoinMarketCap, the key that they ask for, and the credits that they bill.

Quotes and info cost a credit per 100 coins, listings one per 200, times the number of `convert` currencies; maps and
key info are free. A key is needed but for `/public-api`; every key works, except the word "invalid".
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from simulator.asking import Answer, Ask, Endpoint, Refused
from simulator.coinmarketcap.envelope import KEYLESS_PREFIX, error, success
from simulator.coinmarketcap.selection import choice, converts, number, selection
from simulator.coinmarketcap.shapes import Shapes
from simulator.coins import Coin, Kind
from simulator.market import Market, Ranking

_CREDITS_MONTHLY = 15_000
_CALLS_PER_MINUTE = 30
_QUOTES_PER_CREDIT = 100
_LISTINGS_PER_CREDIT = 200
_MOST_LISTED = 5000
_SORTS: Mapping[str, Callable[[Coin], Any]] = {
    "name": lambda coin: coin.name.lower(),
    "symbol": lambda coin: coin.symbol,
    "circulating_supply": lambda coin: coin.supply,
}
_SORT_NAMES = ("market_cap", "volume_24h", "price", *_SORTS)


class CoinMarketCap:
    name = "coinmarketcap"

    def __init__(self, market: Market) -> None:
        self._market = market
        self._shapes = Shapes(market)
        self._credits = 0
        self._minute = 0
        self._calls_this_minute = 0

    def endpoints(self) -> Mapping[str, Endpoint]:
        paths: dict[str, Endpoint] = {
            "/v1/cryptocurrency/map": self._map,
            "/v1/fiat/map": self._fiat_map,
            "/v1/key/info": self._key_info,
            "/v2/cryptocurrency/info": self._info,
        }
        for version in (1, 2, 3):
            paths[f"/v{version}/cryptocurrency/quotes/latest"] = partial(self._quotes, version=version)
        for version in (1, 3):
            paths[f"/v{version}/cryptocurrency/listings/latest"] = partial(self._listings, version=version)
        paths |= {KEYLESS_PREFIX + path: endpoint for path, endpoint in paths.items()}
        return {path: partial(self._with_key, endpoint=endpoint) for path, endpoint in paths.items()}

    def error(self, code: int, now: datetime, message: str = "") -> Answer:
        return error(code, now, message)

    def _with_key(self, ask: Ask, *, endpoint: Endpoint) -> Answer:
        self._count_call(ask)
        if not ask.path.startswith(KEYLESS_PREFIX):
            key = ask.headers.get("X-CMC_PRO_API_KEY") or ask.query.get("CMC_PRO_API_KEY")
            if not key:
                raise Refused(error(1002, ask.now))
            if key == "invalid":
                raise Refused(error(1001, ask.now))
        return endpoint(ask)

    def _quotes(self, ask: Ask, *, version: int) -> Answer:
        ranking = self._market.ranking(ask.moment)
        units = converts(ask, self._market, ranking.ranks)
        chosen = selection(ask, self._market, ranking.ranks, skip_invalid=version > 1)
        shape = partial(
            self._shapes.coin, ask, ranking=ranking, converts=units, version=version, in_list=False
        )
        shown = {key: self._shown(ask, coins) for key, coins in chosen.groups.items()}
        shown = {key: coins for key, coins in shown.items() if coins}
        data: Any
        if version == 3:  # noqa: PLR2004 - the version that answers with a list
            data = [shape(coin) for coins in shown.values() for coin in coins]
        elif version == 2 and chosen.by_symbol:  # noqa: PLR2004 - the version that lists namesakes
            data = {key: [shape(coin) for coin in coins] for key, coins in shown.items()}
        else:
            data = {key: shape(coins[0]) for key, coins in shown.items()}
        return success(ask, data, cost=self._bill(len(shown), _QUOTES_PER_CREDIT, len(units)))

    def _listings(self, ask: Ask, *, version: int) -> Answer:
        start = number(ask, "start", 1, most=1_000_000)
        limit = number(ask, "limit", 100, most=_MOST_LISTED)
        ranking = self._market.ranking(ask.moment)
        units = converts(ask, self._market, ranking.ranks)
        coins = self._sorted(ask, ranking)[start - 1 : start - 1 + limit]
        data = [
            self._shapes.coin(ask, coin, ranking, units, version=version, in_list=True)
            for coin in self._shown(ask, coins)
        ]
        cost = self._bill(len(data), _LISTINGS_PER_CREDIT, len(units))
        return success(ask, data, cost=cost, total_count=len(self._market.coins))

    def _sorted(self, ask: Ask, ranking: Ranking) -> Sequence[Coin]:
        sort = choice(ask, "sort", "market_cap", _SORT_NAMES)
        direction = choice(ask, "sort_dir", "asc" if sort in {"name", "symbol"} else "desc", ("asc", "desc"))
        if sort in {"market_cap", "volume_24h"}:
            coins = ranking.by_cap if sort == "market_cap" else ranking.by_volume
            return coins if direction == "desc" else coins[::-1]
        key = _SORTS.get(sort, lambda coin: self._market.price(coin, ask.moment))
        return sorted(self._market.coins, key=key, reverse=direction == "desc")

    def _map(self, ask: Ask) -> Answer:
        ranking = self._market.ranking(ask.moment)
        if ask.query.get("symbol"):
            groups = selection(ask, self._market, ranking.ranks, skip_invalid=False).groups
            coins = [coin for group in groups.values() for coin in group]
        else:
            coins = self._page(ask, self._mapped(ask, ranking))
        data = [self._shapes.map_entry(ask, coin, ranking) for coin in self._shown(ask, coins)]
        return success(ask, data, cost=0)

    def _mapped(self, ask: Ask, ranking: Ranking) -> list[Coin]:
        statuses = ask.query.get("listing_status", "active").split(",")
        coins = list(self._market.coins) if "active" in statuses else []
        if "inactive" in statuses:
            coins += [coin for coin in self._market.others if coin.kind is Kind.INACTIVE]
        if choice(ask, "sort", "id", ("id", "cmc_rank")) == "id":
            return sorted(coins, key=lambda coin: coin.id)
        return sorted(coins, key=lambda coin: ranking.ranks.get(coin.id, len(ranking.ranks) + coin.id))

    def _fiat_map(self, ask: Ask) -> Answer:
        fiats = self._shown(ask, self._page(ask, list(self._market.fiats.values())))
        data = [
            {
                "id": ask.distortion.stated_id(fiat.id),
                "name": fiat.name,
                "sign": fiat.sign,
                "symbol": fiat.symbol,
            }
            for fiat in fiats
        ]
        return success(ask, data, cost=0)

    def _info(self, ask: Ask) -> Answer:
        ranks = self._market.ranking(ask.moment).ranks
        chosen = selection(ask, self._market, ranks, skip_invalid=False)
        shown = {key: self._shown(ask, coins) for key, coins in chosen.groups.items()}
        data: dict[str, Any] = {
            key: [self._shapes.details(ask, coin) for coin in coins] for key, coins in shown.items() if coins
        }
        if not chosen.by_symbol:
            data = {key: coins[0] for key, coins in data.items()}
        return success(ask, data, cost=self._bill(len(data), _QUOTES_PER_CREDIT, 1))

    def _key_info(self, ask: Ask) -> Answer:
        """The free plan, and what this simulator was asked for since its start. Nothing is ever limited by it."""
        spent = {"credits_used": self._credits, "credits_left": _CREDITS_MONTHLY - self._credits}
        data = {
            "plan": {
                "credit_limit_monthly": _CREDITS_MONTHLY,
                "credit_limit_monthly_reset": "In 10 days",
                "rate_limit_minute": _CALLS_PER_MINUTE,
            },
            "usage": {
                "current_minute": {
                    "requests_made": self._calls_this_minute,
                    "requests_left": max(0, _CALLS_PER_MINUTE - self._calls_this_minute),
                },
                "current_day": {"credits_used": self._credits},
                "current_month": spent,
            },
        }
        return success(ask, data, cost=0)

    def _count_call(self, ask: Ask) -> None:
        minute = int(ask.now.timestamp()) // 60
        self._calls_this_minute = self._calls_this_minute + 1 if minute == self._minute else 1
        self._minute = minute

    def _bill(self, coins: int, coins_per_credit: int, units: int) -> int:
        cost = max(1, -(-coins // coins_per_credit)) * units
        self._credits += cost
        return cost

    def _page(self, ask: Ask, coins: list[Coin]) -> list[Coin]:
        start = number(ask, "start", 1, most=1_000_000)
        limit = number(ask, "limit", len(coins) or 1, most=max(_MOST_LISTED, len(coins)))
        return coins[start - 1 : start - 1 + limit]

    def _shown(self, ask: Ask, coins: Sequence[Coin]) -> list[Coin]:
        return [coin for coin in coins if ask.distortion.shows(coin.id)]

"""CoinMarketCap as pure functions: which calls cover which currencies, and how their answers are read.

Prices come from quotes (1 credit per 100 coins, by id) or from a listing (1 credit per 200 coins, the top by rank). A
listing is cut by the source's order of now, while the ranks that plan it may be from yesterday: a currency that has
slipped below its end is missing from the answer, and whoever needs it asks for its quote.

With a key the calls go to the Pro API; without one to the keyless API, the same under the prefix `/public-api`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import ClassVar

from shared.domain.currency import FIRST_LOCAL_ID, CatalogEntry, CurrencyKind
from shared.domain.ranking import RankingPage
from shared.ports import Call, Quotes
from shared.sources.coinmarketcap.catalog import parse_fiat_map, parse_keyless_fiat_map, parse_map
from shared.sources.coinmarketcap.quotes import parse_listing, parse_quotes
from shared.sources.coinmarketcap.ranking import parse_ranking

_COINS_PER_QUOTE_CREDIT = 100
_COINS_PER_LISTING_CREDIT = 200
_LONGEST_LISTING = 5000
_NOT_LISTED = _LONGEST_LISTING + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinMarketCap:
    """A PriceSource, RankingSource and CatalogSource."""

    base_url: str
    name: str = "coinmarketcap"
    api_key: str = field(default="", repr=False)
    calls_per_minute: int = 0
    credits_per_month: int = 0

    has_own_ids: ClassVar[bool] = False
    leads_ranking: ClassVar[bool] = False
    pages_per_second: ClassVar[int] = 1
    by_hand: ClassVar[Mapping[str, int]] = MappingProxyType({})
    oldest_observation: ClassVar[timedelta] = timedelta(hours=1)
    """Of 1000 recorded listings 990 were younger than 100 s; the oldest was 14 days dead."""

    @property
    def headers(self) -> Mapping[str, str]:
        accept = {"Accept": "application/json"}
        return {**accept, "X-CMC_PRO_API_KEY": self.api_key} if self.api_key else accept

    def plan(
        self,
        currency_ids: Collection[int],
        ranks: Mapping[int, int],
        symbols: Mapping[int, str],  # noqa: ARG002 - its own ids are ours
    ) -> list[Call[Quotes]]:
        """The cheapest mix of one listing of the top and quotes for the rest; of equally dear ones that of the fewest
        calls, then the one with the shortest listing or none. Local currencies are in no call: it does not know them."""
        wanted = sorted({one for one in currency_ids if one < FIRST_LOCAL_ID})
        if not wanted:
            return []
        places = {one: ranks.get(one, _NOT_LISTED) for one in wanted}
        length = min(_listing_lengths(places.values()), key=lambda length: _cost(length, places.values()))
        listed = tuple(one for one in wanted if 0 < places[one] <= length)
        rest = [one for one in wanted if not 0 < places[one] <= length]
        calls = [self._listing(length, listed)] if listed else []
        calls.extend(
            self._quotes(tuple(rest[start : start + _COINS_PER_QUOTE_CREDIT]))
            for start in range(0, len(rest), _COINS_PER_QUOTE_CREDIT)
        )
        return calls

    def ranking(self, length: int) -> list[Call[RankingPage]]:
        """One page: pages by `start` are no snapshot, and cost as much."""
        return [
            Call(
                what=f"ranking of {length}",
                path=self._path("/v3/cryptocurrency/listings/latest"),
                params=_listed(length, by="volume_24h"),
                credits=_credits(length, _COINS_PER_LISTING_CREDIT),
                parse=partial(parse_ranking, self.name, length),
            )
        ]

    def catalog(self) -> dict[CurrencyKind, Call[list[CatalogEntry]]]:
        """One call each: without a limit a map comes whole, so no page can tear it."""
        return {
            CurrencyKind.CRYPTO: Call(
                what="map of cryptocurrencies",
                path=self._path("/v1/cryptocurrency/map"),
                params=(("listing_status", "active"), ("sort", "id")),
                credits=1,
                parse=parse_map,
            ),
            CurrencyKind.FIAT: Call(
                what="map of fiat currencies",
                path=self._path("/v1/fiat/map"),
                credits=1,
                parse=parse_fiat_map if self.api_key else parse_keyless_fiat_map,
            ),
        }

    def _listing(self, length: int, currency_ids: tuple[int, ...]) -> Call[Quotes]:
        return Call(
            what=f"listing of {length}",
            path=self._path("/v3/cryptocurrency/listings/latest"),
            params=_listed(length, by="market_cap"),
            credits=_credits(length, _COINS_PER_LISTING_CREDIT),
            currency_ids=currency_ids,
            parse=partial(parse_listing, self.name),
        )

    def _quotes(self, currency_ids: tuple[int, ...]) -> Call[Quotes]:
        return Call(
            what=f"quotes of {len(currency_ids)}",
            path=self._path("/v3/cryptocurrency/quotes/latest"),
            params=(("id", ",".join(map(str, currency_ids))), ("convert", "USD"), ("skip_invalid", "true")),
            credits=_credits(len(currency_ids), _COINS_PER_QUOTE_CREDIT),
            currency_ids=currency_ids,
            parse=partial(parse_quotes, self.name, currency_ids),
        )

    def _path(self, path: str) -> str:
        return path if self.api_key else f"/public-api{path}"


def _listed(length: int, *, by: str) -> tuple[tuple[str, str], ...]:
    return (("start", "1"), ("limit", str(length)), ("sort", by), ("convert", "USD"))


def _listing_lengths(places: Collection[int]) -> list[int]:
    """The lengths worth a thought: none, each full credit's worth, and the deepest place where that is less."""
    deepest = max((place for place in places if 0 < place <= _LONGEST_LISTING), default=0)
    return [*range(0, deepest, _COINS_PER_LISTING_CREDIT), deepest]


def _cost(length: int, places: Collection[int]) -> tuple[int, int, int]:
    """Credits, calls and the length itself."""
    rest = sum(1 for place in places if not 0 < place <= length)
    quote_calls = _credits(rest, _COINS_PER_QUOTE_CREDIT)
    listing = _credits(length, _COINS_PER_LISTING_CREDIT)
    return listing + quote_calls, (length > 0) + quote_calls, length


def _credits(coins: int, coins_per_credit: int) -> int:
    return -(-coins // coins_per_credit)

"""CoinMarketCap as pure functions: which calls cover which currencies, and how their answers are read.

Prices come from quotes or from a listing. A listing is cut by the source's order of now, while the ranks that plan it may
be from yesterday: a currency that has slipped below its end is missing from the answer, and whoever needs it asks for its
quote.

With a key the calls go to the Pro API; without one to the keyless API, the same under the prefix `/public-api`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import ClassVar, TypeVar

from shared.domain.currency import CatalogEntry, CurrencyKind, CurrencyProfile
from shared.domain.ranking import RankingPage
from shared.ports import Call, Parsed, Quotes, UpstreamAnswer
from shared.sources.coinmarketcap.catalog import parse_fiat_map, parse_keyless_fiat_map, parse_map
from shared.sources.coinmarketcap.coverage import (
    COINS_PER_LISTING_CREDIT,
    COINS_PER_QUOTE_CREDIT,
    Part,
    batches,
    credits_for,
    parts,
)
from shared.sources.coinmarketcap.profiles import parse_profiles
from shared.sources.coinmarketcap.quotes import parse_listing, parse_quotes
from shared.sources.coinmarketcap.ranking import parse_ranking

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinMarketCap:
    """A PriceSource, RankingSource, CatalogSource and ProfileSource."""

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
        """As `coverage` says."""
        return [
            self._listing(part, partial(parse_listing, self.name))
            if part.length
            else self._quotes(part, partial(parse_quotes, self.name, part.currency_ids))
            for part in parts(currency_ids, ranks)
        ]

    def profiles(self, currency_ids: Collection[int]) -> list[Call[dict[int, CurrencyProfile]]]:
        """Tags and links from the info, and supplies from the quotes that hold prices too. All by id: a listing is no cheaper
        for the hundred of a call, and may lack some."""
        asked = batches(currency_ids)
        return [
            *map(self._info, asked),
            *(self._quotes(part, partial(parse_profiles, part.currency_ids)) for part in asked),
        ]

    def ranking(self, length: int) -> list[Call[RankingPage]]:
        """One page: pages by `start` are no snapshot, and cost as much."""
        return [
            Call(
                what=f"ranking of {length}",
                path=self._path("/v3/cryptocurrency/listings/latest"),
                params=_listed(length, by="volume_24h"),
                credits=credits_for(length, COINS_PER_LISTING_CREDIT),
                parse=partial(parse_ranking, self.name, length),
            )
        ]

    def catalog(self) -> dict[CurrencyKind, Call[list[CatalogEntry]]]:
        """One call each: without a limit a map comes whole, so no page can tear it. Maps are documented as free of credits;
        older answers of theirs state one, and what is stated is what counts."""
        return {
            CurrencyKind.CRYPTO: Call(
                what="map of cryptocurrencies",
                path=self._path("/v1/cryptocurrency/map"),
                params=(("listing_status", "active"), ("sort", "id")),
                credits=0,
                parse=parse_map,
            ),
            CurrencyKind.FIAT: Call(
                what="map of fiat currencies",
                path=self._path("/v1/fiat/map"),
                credits=0,
                parse=parse_fiat_map if self.api_key else parse_keyless_fiat_map,
            ),
        }

    def _listing(self, part: Part, parse: Callable[[UpstreamAnswer], Parsed[T]]) -> Call[T]:
        return Call(
            what=f"listing of {part.length}",
            path=self._path("/v3/cryptocurrency/listings/latest"),
            params=_listed(part.length, by="market_cap"),
            credits=credits_for(part.length, COINS_PER_LISTING_CREDIT),
            currency_ids=part.currency_ids,
            parse=parse,
        )

    def _quotes(self, part: Part, parse: Callable[[UpstreamAnswer], Parsed[T]]) -> Call[T]:
        return Call(
            what=f"quotes of {len(part.currency_ids)}",
            path=self._path("/v3/cryptocurrency/quotes/latest"),
            params=(_by_id(part), ("convert", "USD"), ("skip_invalid", "true")),
            credits=credits_for(len(part.currency_ids), COINS_PER_QUOTE_CREDIT),
            currency_ids=part.currency_ids,
            parse=parse,
        )

    def _info(self, part: Part) -> Call[dict[int, CurrencyProfile]]:
        return Call(
            what=f"info of {len(part.currency_ids)}",
            path=self._path("/v2/cryptocurrency/info"),
            params=(_by_id(part), ("skip_invalid", "true"), ("aux", "urls,tags")),
            credits=credits_for(len(part.currency_ids), COINS_PER_QUOTE_CREDIT),
            currency_ids=part.currency_ids,
            parse=partial(parse_profiles, part.currency_ids),
        )

    def _path(self, path: str) -> str:
        return path if self.api_key else f"/public-api{path}"


def _by_id(part: Part) -> tuple[str, str]:
    return "id", ",".join(map(str, part.currency_ids))


def _listed(length: int, *, by: str) -> tuple[tuple[str, str], ...]:
    return (("start", "1"), ("limit", str(length)), ("sort", by), ("convert", "USD"))

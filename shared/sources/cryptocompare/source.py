"""CryptoCompare as pure functions: which calls bring which prices and the ranking. Every call is one credit.

Prices are asked for by its own symbols, as many as fit into one call. The ranking comes in pages of up to 100 places.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import ClassVar

from shared.domain.ranking import RankingPage
from shared.ports import Call, Quotes
from shared.sources.cryptocompare.known_coins import KNOWN_COINS
from shared.sources.cryptocompare.prices import parse_prices
from shared.sources.cryptocompare.ranking import parse_page

_LONGEST_SYMBOL_LIST = 1000
"""Characters, commas included."""
_LONGEST_PAGE = 100
_PAGE_STEP = 10
"""It rounds the length of a page up to steps of so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptoCompare:
    """A PriceSource and RankingSource."""

    base_url: str
    api_key: str = field(repr=False)
    name: str = "cryptocompare"
    calls_per_minute: int = 0
    credits_per_month: int = 0

    has_own_ids: ClassVar[bool] = True
    leads_ranking: ClassVar[bool] = True
    pages_per_second: ClassVar[int] = 20
    """The limit per second that its answers stated."""
    by_hand: ClassVar[Mapping[str, int]] = KNOWN_COINS
    oldest_observation: ClassVar[timedelta] = timedelta(hours=3)
    """It dates a price by the last trade: of a recorded page of 100 coins one had rested for 1 h 56 min, the next for 31 min.
    Of 49 small coins the oldest living one was 28 min old, the dead ones days to years."""

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Accept": "application/json", "Authorization": f"Apikey {self.api_key}"}

    def plan(
        self,
        currency_ids: Collection[int],
        ranks: Mapping[int, int],  # noqa: ARG002 - it has no listing by that rank
        symbols: Mapping[int, str],
    ) -> list[Call[Quotes]]:
        """Currencies without a symbol of its own are in no call, nor are those that share one: as a symbol belongs to one
        coin, all but one of them are out of date, and would get the price of another coin."""
        holders: dict[str, list[int]] = {}
        for currency_id in sorted(set(currency_ids)):
            if (symbol := symbols.get(currency_id)) and _fits_a_list(symbol):
                holders.setdefault(symbol, []).append(currency_id)
        known = {symbol: held[0] for symbol, held in holders.items() if len(held) == 1}
        return [self._prices({symbol: known[symbol] for symbol in part}) for part in _parts(known)]

    def ranking(self, length: int) -> list[Call[RankingPage]]:
        size = min(_LONGEST_PAGE, -(-length // _PAGE_STEP) * _PAGE_STEP)
        return [self._page(number, size) for number in range(-(-length // size))]

    def _prices(self, asked: Mapping[str, int]) -> Call[Quotes]:
        return Call(
            what=f"prices of {len(asked)}",
            path="/data/pricemultifull",
            params=(("fsyms", ",".join(asked)), ("tsyms", "USD")),
            credits=1,
            currency_ids=tuple(asked.values()),
            parse=partial(parse_prices, self.name, asked),
        )

    def _page(self, number: int, size: int) -> Call[RankingPage]:
        return Call(
            what=f"ranking from {number * size + 1}",
            path="/data/top/totalvolfull",
            params=(("limit", str(size)), ("page", str(number)), ("tsym", "USD")),
            credits=1,
            parse=partial(parse_page, size),
        )


def _fits_a_list(symbol: str) -> bool:
    return "," not in symbol and symbol == symbol.strip() and len(symbol) <= _LONGEST_SYMBOL_LIST


def _parts(symbols: Collection[str]) -> Iterator[list[str]]:
    """As many symbols as one call takes, and so on."""
    part: list[str] = []
    length = 0
    for symbol in symbols:
        if part and length + 1 + len(symbol) > _LONGEST_SYMBOL_LIST:
            yield part
            part, length = [], 0
        length += len(symbol) + bool(part)
        part.append(symbol)
    if part:
        yield part

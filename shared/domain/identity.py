"""Which currency a source's coin is. A symbol is no identity, so every decision is made by a rule that is written down with it.

A wrong decision would show one coin's price as another's, until people notice and correct it; a missing one only makes a local currency, and is made
again at every visit. So whatever is ambiguous is left to the next rule, and in the end undecided.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from unicodedata import normalize

from shared.domain.currency import Currency, CurrencyKind

_PRICES_AGREE = Decimal("0.1")
"""Prices that differ by no more than this share of the higher one may be those of one coin."""
_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")


class DecidedBy(StrEnum):
    """The rules, in the order in which they are tried."""

    HAND = "hand"
    """A table that people keep."""
    SYMBOL_AND_NAME = "symbol-and-name"
    """Where several currencies have both, the only one whose price agrees."""
    UNIQUE_NAME = "unique-name"
    SYMBOL_AND_PRICE = "symbol-and-price"
    """The best-ranked currency of the symbol, where the prices agree."""
    NONE = "none"
    """No rule found it: a local currency stands for it until CoinMarketCap lists it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCoin:
    """A coin by the names of its source."""

    source_id: str
    symbol: str
    name: str
    price_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A decision. `currency_id`: None where only a local currency can stand for the coin."""

    coin: SourceCoin
    currency_id: int | None
    decided_by: DecidedBy


def decide(
    coins: Sequence[SourceCoin],
    *,
    currencies: "Iterable[Currency] | CurrencyIndex",
    prices: Mapping[int, Decimal],
    by_hand: Mapping[str, int],
    taken: Collection[int],
) -> list[Identity]:
    """One decision for each coin, in their order.

    `currencies`: an index of them where it is needed more than once. `prices`: the last known one in USD, by currency. `by_hand`: currencies by the source's ids; lines whose currency is not
    among `currencies` do not count. `taken`: what other coins of the same source are already; only the hand table may give it
    to another one. Each rule is tried on all coins before the next one, so a weak match never takes a currency from a coin with a
    strong one; of two coins with equally good reasons the first one gets it.
    """
    index = currencies if isinstance(currencies, CurrencyIndex) else CurrencyIndex(currencies)
    catalog = _Catalog(index, prices)
    rules: tuple[tuple[DecidedBy, Callable[[SourceCoin], int | None]], ...] = (
        (DecidedBy.HAND, lambda coin: catalog.known(by_hand.get(coin.source_id))),
        (DecidedBy.SYMBOL_AND_NAME, catalog.by_symbol_and_name),
        (DecidedBy.UNIQUE_NAME, catalog.by_unique_name),
        (DecidedBy.SYMBOL_AND_PRICE, catalog.by_symbol_and_price),
    )
    decided: dict[str, Identity] = {}
    held: set[int] = set()
    for decided_by, currency_of in rules:
        for coin in coins:
            if coin.source_id in decided:
                continue
            currency_id = currency_of(coin)
            if currency_id is not None and currency_id not in held:
                held.add(currency_id)
                decided[coin.source_id] = Identity(coin, currency_id, decided_by)
        if decided_by is DecidedBy.HAND:
            held.update(taken)
    return [decided.get(coin.source_id) or Identity(coin, None, DecidedBy.NONE) for coin in coins]


class CurrencyIndex:
    """The known cryptocurrencies, by what the rules ask for. Of 10,000 it takes some 20 ms to make."""

    def __init__(self, currencies: Iterable[Currency]) -> None:
        known = sorted((one for one in currencies if one.kind is CurrencyKind.CRYPTO), key=_by_rank)
        self.ids = frozenset(one.id for one in known)
        self._active = [one for one in known if one.is_active]
        self._best_by_symbol: dict[str, int] = {}
        self._by_name: dict[str, list[Currency]] = {}
        for one in self._active:
            self._best_by_symbol.setdefault(one.symbol.casefold(), one.id)
        for one in known:
            self._by_name.setdefault(_plain(one.name), []).append(one)

    def named(self, name: str) -> Sequence[Currency]:
        """Also the inactive ones; none for a name without letters or digits."""
        plain = _plain(name)
        return self._by_name.get(plain, ()) if plain else ()

    def best_of_symbol(self, symbol: str) -> int | None:
        """The best-ranked active one, in any case."""
        return self._best_by_symbol.get(symbol.casefold())

    def with_symbols(self, symbols: Iterable[str]) -> set[int]:
        """The active ones that have one of these, in any case."""
        wanted = {symbol.casefold() for symbol in symbols}
        return {one.id for one in self._active if one.symbol.casefold() in wanted}


class _Catalog:
    """The index and what is known of prices, as the rules use them. Inactive currencies count only where no active one is
    alike: CoinMarketCap keeps the dead under the symbols and names that others have now."""

    def __init__(self, index: CurrencyIndex, prices: Mapping[int, Decimal]) -> None:
        self._index = index
        self._prices = prices

    def known(self, currency_id: int | None) -> int | None:
        return currency_id if currency_id in self._index.ids else None

    def by_symbol_and_name(self, coin: SourceCoin) -> int | None:
        """Stars mark namesakes at the source; they are no part of the symbol. Of several that have both, as a token has that
        was replaced by another one, the only one whose price agrees."""
        symbol = coin.symbol.rstrip("*").casefold()
        both = [one for one in self._index.named(coin.name) if one.symbol.casefold() == symbol]
        alike = [one.id for one in both if one.is_active] or [one.id for one in both]
        if len(alike) > 1:
            alike = [one for one in alike if self._has_price_of(one, coin)]
        return alike[0] if len(alike) == 1 else None

    def by_unique_name(self, coin: SourceCoin) -> int | None:
        alike = [one.id for one in self._index.named(coin.name) if one.is_active]
        return alike[0] if len(alike) == 1 else None

    def by_symbol_and_price(self, coin: SourceCoin) -> int | None:
        """Of all that have the symbol only the best-ranked one: the others are too many for a price to tell."""
        best = self._index.best_of_symbol(coin.symbol)
        return best if best is not None and self._has_price_of(best, coin) else None

    def _has_price_of(self, currency_id: int, coin: SourceCoin) -> bool:
        one, other = self._prices.get(currency_id), coin.price_usd
        return one is not None and other is not None and abs(one - other) <= max(one, other) * _PRICES_AGREE


def _by_rank(currency: Currency) -> tuple[bool, int, int]:
    return currency.rank is None, currency.rank or 0, currency.id


def _plain(name: str) -> str:
    """Letters and digits only, in one case: ZCash is Zcash, and USD-Coin is USD Coin."""
    return _NO_LETTER_OR_DIGIT.sub("", (name if name.isascii() else normalize("NFKC", name)).casefold())

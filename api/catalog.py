"""The catalog in memory: which ids and symbols exist, so that nonsense costs neither a query nor an upstream call.

An id that is not here may be new. The store is asked for such ids at most once a second, whoever asks, so that
guessing ids costs nothing; the whole catalog is read again when a fact says that it was renewed. What becomes of a symbol
that is not here: `api.symbols`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass
from itertools import islice

import structlog

from api.asking import BRIEFLY
from shared.domain.currency import Currency, CurrencyDetail, CurrencyKind
from shared.domain.times import Clock
from shared.errors import CatalogNotLoaded, StorageUnavailable, UnknownCurrency
from shared.ports import Storage

log = structlog.get_logger(__name__)

LOOKUP_PAUSE = 1.0
"""Seconds between two questions to the store for ids that memory lacks."""


@dataclass(frozen=True, slots=True)
class Base:
    """The currency that a symbol names."""

    currency: Currency
    also: tuple[int, ...] = ()
    """The ids of all others of that symbol: the active by rank, then the unranked by id, then the inactive."""


def is_merged(currency: Currency) -> bool:
    """A local currency is active until it turns out to be another."""
    return currency.kind is CurrencyKind.LOCAL and not currency.is_active


def _place(currency: Currency) -> tuple[bool, bool, int, int]:
    """Among those of its symbol: by rank, then the unranked, then the inactive, each by id."""
    return (not currency.is_active, currency.rank is None, currency.rank or 0, currency.id)


class Catalog:
    """The currencies by id, and by symbol in any case."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._by_id: dict[int, Currency] = {}
        self._by_symbol: dict[str, list[Currency]] = {}
        """By the symbol without case, the best first; without those that are merged."""
        self._bases: dict[str, Base] = {}
        """Those of the symbols that were asked for."""
        self._successors: dict[int, int] = {}
        """Which currency a merged one turned out to be. That never changes."""
        self._looking: asyncio.Task[CurrencyDetail | None] | None = None
        self._next_lookup = 0.0
        self.is_loaded = False
        """Whether a catalog was ever stored; the dollar alone, which every store has from its start, is none."""
        self.generation = 0
        """Grows whenever currencies were learned: what was derived from them before may be wrong now."""

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, currency_id: int) -> Currency | None:
        """What memory knows, without any I/O."""
        return self._by_id.get(currency_id)

    def current(self, currency_id: int) -> Currency | None:
        """The same; of one that turned out to be another, that other."""
        currency = self._by_id.get(self._successors.get(currency_id, currency_id))
        return None if currency is None or is_merged(currency) else currency

    def named(self, symbol: str) -> Sequence[Currency]:
        """All of this symbol, in any case: the active ones by rank, then the unranked by id, then the inactive."""
        return self._by_symbol.get(symbol.casefold(), ())

    def base(self, symbol: str) -> Base | None:
        """The best-ranked active currency of this symbol; None also where all of that symbol are inactive."""
        folded = symbol.casefold()
        base = self._bases.get(folded)
        if base is None:
            namesakes = self._by_symbol.get(folded)
            if not namesakes or not namesakes[0].is_active:
                return None
            base = self._bases[folded] = Base(namesakes[0], tuple(one.id for one in namesakes[1:]))
        return base

    def target(self, code: str) -> Currency | None:
        """The active fiat currency of this code, else as `base`."""
        fiat = self.fiat(code)
        if fiat is not None:
            return fiat
        base = self.base(code)
        return base.currency if base else None

    def fiat(self, code: str) -> Currency | None:
        """The active fiat currency of this code, in any case."""
        fiats = (one for one in self.named(code) if one.kind is CurrencyKind.FIAT and one.is_active)
        return next(fiats, None)

    def is_fiat(self, currency_id: int) -> bool:
        """As far as memory knows."""
        currency = self._by_id.get(currency_id)
        return currency is not None and currency.kind is CurrencyKind.FIAT

    def lacks(self, currency_ids: Iterable[int]) -> bool:
        """Whether memory does not know one of these."""
        return any(one not in self._by_id for one in currency_ids)

    def top(self, count: int) -> list[int]:
        """The ids of the best that CoinMarketCap ranks."""
        ranked = (one.id for one in self._by_id.values() if one.rank is not None and one.is_active)
        return list(islice(ranked, count))

    def merged(self) -> list[int]:
        """The local ids for which there is another currency now."""
        return [one.id for one in self._by_id.values() if is_merged(one)]

    def successor(self, currency_id: int) -> int | None:
        """The currency that this local one turned out to be, if it did."""
        return self._successors.get(currency_id)

    def learn(self, currencies: Iterable[Currency]) -> None:
        """Takes the place of all that was known. By rank (unranked last), as the store gives them."""
        self._by_id = {currency.id: currency for currency in currencies}
        named: dict[str, list[Currency]] = {}
        for currency in self._by_id.values():
            if not is_merged(currency):
                named.setdefault(currency.symbol.casefold(), []).append(currency)
        for namesakes in named.values():
            if len(namesakes) > 1:
                namesakes.sort(key=_place)
        self._by_symbol, self._bases = named, {}
        self.generation += 1
        self.is_loaded = any(one.kind is CurrencyKind.CRYPTO for one in self._by_id.values())

    async def load(self) -> None:
        """Raises StorageUnavailable; what was known stays then."""
        currencies = await self._storage.catalog()
        for one in currencies:
            if is_merged(one) and one.id not in self._successors:
                self._note_successor(await self._storage.currency(one.id))
        self.learn(currencies)

    async def known(self, currency_id: int) -> Currency:
        """The currency. Raises UnknownCurrency, or StorageUnavailable where nothing is loaded."""
        currency = self._by_id.get(currency_id) or await self._look_up(currency_id)
        if currency is None:
            raise UnknownCurrency
        return currency

    async def refreshable(self, currency_id: int) -> Currency:
        """The currency, where a source may be asked for it. Raises as `known`, and CatalogNotLoaded where it may exist."""
        try:
            return await self.known(currency_id)
        except UnknownCurrency:
            if self.is_loaded:
                raise
            raise CatalogNotLoaded(retry_after=5.0) from None

    async def _look_up(self, currency_id: int) -> Currency | None:
        if not self.is_loaded:
            detail = await self._storage.currency(currency_id)
            return detail.currency if detail else None
        now = self._clock().timestamp()
        if now < self._next_lookup:
            return None
        self._next_lookup = now + LOOKUP_PAUSE
        # Left to itself where it takes long: a request does not wait for it, and ending it could take as long again.
        self._looking = asyncio.create_task(self._detail(currency_id), context=Context())
        await asyncio.wait([self._looking], timeout=BRIEFLY)
        detail = self._looking.result() if self._looking.done() else None
        if detail is None:
            return None
        self._note_successor(detail)
        self._add(detail.currency)
        return detail.currency

    async def _detail(self, currency_id: int) -> CurrencyDetail | None:
        try:
            return await self._storage.currency(currency_id)
        except StorageUnavailable as error:
            log.warning("catalog not asked", currency=currency_id, error=str(error))
            return None

    def _note_successor(self, detail: CurrencyDetail | None) -> None:
        if detail is not None and detail.merged_into is not None:
            self._successors[detail.currency.id] = detail.merged_into

    def _add(self, currency: Currency) -> None:
        """A single one that is new. Lists that others were given stay as they are."""
        self._by_id[currency.id] = currency
        if not is_merged(currency):
            folded = currency.symbol.casefold()
            self._by_symbol[folded] = sorted([*self.named(folded), currency], key=_place)
            self._bases.pop(folded, None)
        self.generation += 1

"""The catalog in memory: which ids and symbols exist, so that nonsense costs neither a query nor an upstream call.

An id that is not here may be new. The store is asked for such ids at most once a second, whoever asks, so that
guessing ids costs nothing; the whole catalog is read again when a fact says that it was renewed. What becomes of a symbol
that is not here: `api.symbols`.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

import structlog

from shared.domain.currency import Currency, CurrencyKind
from shared.domain.times import Clock
from shared.errors import CatalogNotLoaded, StorageUnavailable, UnknownCurrency
from shared.ports import Storage

log = structlog.get_logger(__name__)

LOOKUP_PAUSE = 1.0
"""Seconds between two questions to the store for ids that memory lacks."""


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

    def named(self, symbol: str) -> Sequence[Currency]:
        """All of this symbol, in any case: the active ones by rank, then the unranked by id, then the inactive."""
        return self._by_symbol.get(symbol.casefold(), ())

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

    async def successor(self, currency_id: int) -> int | None:
        """The currency that this local one turned out to be, if it did. Raises StorageUnavailable."""
        currency = self._by_id.get(currency_id)
        if currency is None or not is_merged(currency):
            return None
        detail = await self._storage.currency(currency_id)
        return detail.merged_into if detail else None

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
        self._by_symbol = named
        self.generation += 1
        self.is_loaded = any(one.kind is CurrencyKind.CRYPTO for one in self._by_id.values())

    async def load(self) -> None:
        """Raises StorageUnavailable; what was known stays then."""
        self.learn(await self._storage.catalog())

    async def known(self, currency_id: int) -> Currency:
        """The currency. Raises UnknownCurrency, or StorageUnavailable where nothing is loaded."""
        currency = self._by_id.get(currency_id) or await self._look_up(currency_id)
        if currency is None:
            raise UnknownCurrency
        return currency

    async def refreshable(self, currency_id: int) -> Currency:
        """The currency, where a source may be asked for it. Raises UnknownCurrency or CatalogNotLoaded."""
        if not self.is_loaded:
            raise CatalogNotLoaded(retry_after=5.0)
        return await self.known(currency_id)

    async def _look_up(self, currency_id: int) -> Currency | None:
        if not self.is_loaded:
            detail = await self._storage.currency(currency_id)
            return detail.currency if detail else None
        now = self._clock().timestamp()
        if now < self._next_lookup:
            return None
        self._next_lookup = now + LOOKUP_PAUSE
        try:
            detail = await self._storage.currency(currency_id)
        except StorageUnavailable as error:
            log.warning("catalog not asked", currency=currency_id, error=str(error))
            return None
        if detail is None:
            return None
        self._add(detail.currency)
        return detail.currency

    def _add(self, currency: Currency) -> None:
        """A single one that is new. Lists that others were given stay as they are."""
        self._by_id[currency.id] = currency
        if not is_merged(currency):
            self._by_symbol[currency.symbol.casefold()] = sorted(
                [*self.named(currency.symbol), currency], key=_place
            )
        self.generation += 1

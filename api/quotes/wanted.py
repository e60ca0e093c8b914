"""Which currencies a request is about: symbols and ids looked up in the catalog, each currency once."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from api.catalog import Catalog, is_merged
from api.queries import QuotesQuery
from api.quotes.asking import Asking
from api.symbols import Base, Symbols
from shared.domain.currency import USD_ID, Currency
from shared.errors import (
    CatalogNotLoaded,
    FreshrateError,
    InvalidInput,
    UnknownCurrencies,
    UnknownCurrency,
)


@dataclass(slots=True, eq=False)
class Wanted:
    """What was asked for, as far as it exists."""

    bases: tuple[Base, ...]
    targets: tuple[Currency, ...]
    unknown: tuple[str | int, ...]
    """The symbols or ids that there are not, as they were asked for."""
    unknown_targets: tuple[str | int, ...]
    generation: int
    """Of the catalog that says so."""
    currencies: tuple[Currency, ...] = field(init=False)
    """All of them."""
    priced: tuple[int, ...] = field(init=False)
    """The ids of those whose rates are needed: a currency in itself needs none, and the dollar has none."""

    def __post_init__(self) -> None:
        by_id = {one.id: one for one in (*(base.currency for base in self.bases), *self.targets)}
        self.currencies = tuple(by_id.values())
        self.priced = tuple(one for one in by_id if one != USD_ID) if len(by_id) > 1 else ()

    @property
    def is_whole(self) -> bool:
        return not self.unknown and not self.unknown_targets


class Finder:
    """Looks them up."""

    def __init__(self, catalog: Catalog, symbols: Symbols) -> None:
        self._catalog = catalog
        self._symbols = symbols

    def at_hand(self, query: QuotesQuery) -> Wanted:
        """What memory has, without any I/O. A local id that turned out to be another is not at hand."""
        bases: dict[str | int, Base | None] = {one: self._symbols.base(one) for one in query.symbols}
        for one in query.ids:
            currency = self._at_hand(one)
            bases[one] = Base(currency, ()) if currency else None
        targets: dict[str | int, Currency | None] = {one: self._symbols.target(one) for one in query.convert}
        targets |= {one: self._at_hand(one) for one in query.convert_ids}
        return Wanted(
            bases=tuple({one.currency.id: one for one in bases.values() if one}.values()),
            targets=tuple({one.id: one for one in targets.values() if one}.values()),
            unknown=tuple(name for name, one in bases.items() if one is None),
            unknown_targets=tuple(name for name, one in targets.items() if one is None),
            generation=self._catalog.generation,
        )

    def holds(self, wanted: Wanted) -> bool:
        """Whether the catalog still says so."""
        return wanted.generation == self._catalog.generation

    async def find(self, query: QuotesQuery, asking: Asking | None) -> Wanted:
        """The same, with whatever has to be asked for: the store for ids, a renewed catalog for symbols. `asking`: None
        where no worker may be asked.

        Raises InvalidInput where a currency of `convert` is unknown, UnknownCurrencies where all others are, and the failure
        that kept the catalog from being renewed where that may be the reason: never for ids. Also TooManyRequests,
        StorageUnavailable, CatalogNotLoaded.
        """
        if not self._catalog.is_loaded:
            raise CatalogNotLoaded(retry_after=5.0)
        wanted, error = self.at_hand(query), None
        if not wanted.is_whole:
            query = await self._with_current_ids(query)
            error = await self._seek(wanted, asking)
            wanted = self.at_hand(query)
        if wanted.unknown_targets:
            raise (error if query.convert else None) or _unusable(query, wanted.unknown_targets)
        if not wanted.bases:
            raise (error if query.symbols else None) or UnknownCurrencies(wanted.unknown)
        return wanted

    async def _seek(self, wanted: Wanted, asking: Asking | None) -> FreshrateError | None:
        symbols = [one for one in (*wanted.unknown, *wanted.unknown_targets) if isinstance(one, str)]
        if not symbols or asking is None:
            return None
        return await self._symbols.seek(symbols, request_id=asking.request_id, spend=asking.spend)

    async def _with_current_ids(self, query: QuotesQuery) -> QuotesQuery:
        return query.with_ids(await self._current(query.ids), await self._current(query.convert_ids))

    async def _current(self, ids: Iterable[int]) -> list[int]:
        """Merged ones by their successors; what the catalog lacks is learned where the store has it."""
        current = []
        for one in ids:
            successor = await self._catalog.successor(one)
            try:
                current.append((await self._catalog.known(one if successor is None else successor)).id)
            except UnknownCurrency:
                current.append(one)
        return current

    def _at_hand(self, currency_id: int) -> Currency | None:
        currency = self._catalog.get(currency_id)
        return None if currency is None or is_merged(currency) else currency


def _unusable(query: QuotesQuery, unknown: Iterable[str | int]) -> InvalidInput:
    name = "convert" if query.convert else "convert_id"
    return InvalidInput(
        {
            name: [
                f"There is no currency {one}. GET /api/currencies/ lists those that exist." for one in unknown
            ]
        }
    )

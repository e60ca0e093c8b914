"""Which currencies a request is about: symbols and ids looked up in the catalog, each currency once."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from api.asking import Asking
from api.catalog import Base, Catalog
from api.quotes.query import QuotesQuery
from api.symbols import Symbols
from shared.domain.currency import USD_ID, Currency
from shared.errors import (
    CatalogNotLoaded,
    FreshrateError,
    InvalidInput,
    TooManyRequests,
    UnknownCurrencies,
    UnknownCurrency,
)

Name = str | int
"""A symbol or an id, as it was asked for."""


@dataclass(slots=True, eq=False)
class Wanted:
    """What was asked for, as far as it exists."""

    bases: tuple[Base, ...]
    targets: tuple[Currency, ...]
    unknown: tuple[Name, ...]
    """What there is not."""
    currencies: tuple[Currency, ...] = field(init=False)
    """All of them."""
    priced: tuple[int, ...] = field(init=False)
    """The ids of those whose rates are needed: a currency in itself needs none, and the dollar has none."""

    def __post_init__(self) -> None:
        by_id = {one.id: one for one in (*(base.currency for base in self.bases), *self.targets)}
        self.currencies = tuple(by_id.values())
        self.priced = tuple(one for one in by_id if one != USD_ID) if len(by_id) > 1 else ()


class Finder:
    """Looks them up."""

    def __init__(self, catalog: Catalog, symbols: Symbols) -> None:
        self._catalog = catalog
        self._symbols = symbols

    def at_hand(self, query: QuotesQuery) -> Wanted | None:
        """What the catalog says without any I/O; None where it lacks something."""
        wanted, unusable = self._look_up(query)
        return None if wanted.unknown or unusable else wanted

    async def find(self, query: QuotesQuery, asking: Asking | None) -> Wanted:
        """The same, with whatever has to be asked for: the store for ids, a renewed catalog for symbols. `asking`: None
        where no worker may be asked.

        Raises InvalidInput where a currency of `convert` is unknown, UnknownCurrencies where all others are, and the failure
        that kept the catalog from being renewed where that may be the reason: never for ids. Also TooManyRequests,
        CatalogNotLoaded.
        """
        if not self._catalog.is_loaded:
            raise CatalogNotLoaded(retry_after=5.0)
        wanted, unusable = self._look_up(query)
        error = None
        if missing := (*wanted.unknown, *unusable):
            error = await self._seek(missing, asking)
            wanted, unusable = self._look_up(query)
        if unusable:
            raise (error if query.convert else None) or _unusable(query, unusable)
        if not wanted.bases:
            raise error or UnknownCurrencies(wanted.unknown)
        return wanted

    def _look_up(self, query: QuotesQuery) -> tuple[Wanted, tuple[Name, ...]]:
        """What there is, and which targets there are not."""
        bases: dict[Name, Base | None] = {one: self._catalog.base(one) for one in query.symbols}
        for one in query.ids:
            currency = self._catalog.current(one)
            bases[one] = Base(currency) if currency else None
        targets: dict[Name, Currency | None] = {one: self._catalog.target(one) for one in query.convert}
        targets |= {one: self._catalog.current(one) for one in query.convert_ids}
        wanted = Wanted(
            bases=tuple({one.currency.id: one for one in bases.values() if one}.values()),
            targets=tuple({one.id: one for one in targets.values() if one}.values()),
            unknown=tuple(name for name, one in bases.items() if one is None),
        )
        return wanted, tuple(name for name, one in targets.items() if one is None)

    async def _seek(self, missing: Iterable[Name], asking: Asking | None) -> FreshrateError | None:
        symbols = []
        for one in missing:
            if isinstance(one, str):
                symbols.append(one)
            else:
                with suppress(UnknownCurrency):
                    await self._catalog.known(one)
        try:
            return await self._symbols.seek(symbols, asking) if asking else None
        except TooManyRequests as error:
            return error


def _unusable(query: QuotesQuery, unknown: Iterable[Name]) -> InvalidInput:
    name = "convert" if query.convert else "convert_id"
    return InvalidInput(
        {
            name: [
                f"There is no currency {one}. GET /api/currencies/ lists those that exist." for one in unknown
            ]
        }
    )

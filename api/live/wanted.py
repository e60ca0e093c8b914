"""Which currencies a client may listen to: those of the catalog, by their present ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.catalog import Catalog
from shared.errors import UnknownCurrency

MOST_IDS = 1000
"""Currencies that one stream may name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The ids that were asked for."""

    ids: frozenset[int]
    """As they are now: of a local one that turned out to be another, that other."""
    unknown: Sequence[int]
    """No currency has these."""


async def wanted(catalog: Catalog, asked: Iterable[int]) -> Wanted:
    """Where no catalog is loaded yet, all may exist: a client that comes back then must not be sent away."""
    ids, unknown = set(), []
    for one in asked:
        if catalog.is_loaded and not await _exists(catalog, one):
            unknown.append(one)
        else:
            ids.add(catalog.successor(one) or one)
    return Wanted(frozenset(ids), unknown)


async def _exists(catalog: Catalog, currency_id: int) -> bool:
    try:
        await catalog.known(currency_id)
    except UnknownCurrency:
        return False
    return True

"""Quotes as the route asks for them."""

import copy
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.answers import RateAnswer
from api.asking import BRIEFLY, Asking
from api.catalog import Catalog
from api.known_paths import KnownPaths
from api.lookup import Lookup, Way
from api.quotes.answer import QuotesAnswer, composed
from api.quotes.cards import Card, Cards
from api.quotes.past import PastRates
from api.quotes.query import QuotesQuery
from api.quotes.sides import Sides
from api.quotes.wanted import Finder, Wanted
from api.symbols import Symbols
from shared.domain.times import Clock
from shared.errors import (
    DeadlineExceeded,
    FreshrateError,
    NoRateYet,
    NotTried,
    StorageUnavailable,
    UpstreamError,
)
from shared.ports import Storage
from shared.settings import Settings

_MOST_TELLING = (UpstreamError, NotTried, StorageUnavailable, DeadlineExceeded)
"""Kinds of failures: a source that was visited and failed says more than that nothing was tried, and that more than that the
time was up."""


@dataclass(slots=True)
class KnownQuery:
    """What a path asks for, and what that is in the catalog."""

    query: QuotesQuery
    wanted: Wanted | None = None
    """None where the catalog lacks something."""
    generation: int = -1
    """Of the catalog that says so."""


class Quotes:
    """Prices of currencies in currencies, of now or of a past moment."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        catalog: Catalog,
        symbols: Symbols,
        lookup: Lookup,
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._lookup = lookup
        self._clock = clock
        self._finder = Finder(catalog, symbols)
        self._past = PastRates(storage, settings)
        self._sides = Sides()
        self.cards = Cards(storage, catalog)
        self.paths: KnownPaths[KnownQuery] = KnownPaths()

    def ready(self, raw_path: str, now: float) -> QuotesAnswer | None:
        """For the fast lane: the answer of now, where all that it needs lies in memory."""
        known = self.paths.get(raw_path)
        if known is None:
            return None
        if known.generation != self._catalog.generation:
            known.wanted, known.generation = self._finder.at_hand(known.query), self._catalog.generation
        wanted = known.wanted
        if wanted is None:
            return None
        rates = self._lookup.ready(wanted.priced, now)
        cards = self.cards.at_hand(wanted.bases)
        if rates is None or cards is None:
            return None
        return self._composed(known.query, wanted, rates, cards, Way.HIT, now)

    def learn(self, raw_path: str, query: QuotesQuery) -> None:
        """The fast lane may answer this path from now on."""
        self.paths.learn(raw_path, KnownQuery(query))

    async def now(self, query: QuotesQuery, asking: Asking) -> QuotesAnswer:
        """The answer of now. Where nothing has a price, raises UpstreamError, NotTried, StorageUnavailable or
        DeadlineExceeded; else whatever `Finder.find` and `Lookup.find` raise."""
        wanted = await self._finder.find(query, asking)
        max_age = None if query.max_age is None else timedelta(seconds=query.max_age)
        found = await self._lookup.find(wanted.priced, asking, max_age=max_age)
        old = self._lookup.not_renewed(found.failures)
        if old:
            found.note(Way.STALE)
        rates = {**found.rates, **old}
        currencies = [one.currency for one in wanted.bases]
        cards = await self.cards.of(currencies, within=asking.left(BRIEFLY))
        answer = self._composed(query, wanted, rates, cards, found.way, self._clock().timestamp())
        if not answer.is_priced:
            raise _telling(found.failures.values())
        return answer

    async def past(self, query: QuotesQuery, moment: datetime) -> QuotesAnswer:
        """The answer of a moment that is past for good. Raises NoRateYet where nothing was known then; StorageUnavailable."""
        wanted = await self._finder.find(query, None)
        sides = await self._past.sides(wanted.currencies, wanted.priced, moment)
        cards = await self.cards.of((one.currency for one in wanted.bases), within=BRIEFLY)
        second = math.floor(moment.timestamp())
        answer = composed(query.amount, second, wanted, sides, cards, Way.STORE, is_of_now=False)
        if not answer.is_priced:
            raise NoRateYet("None of these rates was known at that moment. Ask for a later one.")
        return answer

    def _composed(
        self,
        query: QuotesQuery,
        wanted: Wanted,
        rates: Mapping[int, RateAnswer],
        cards: Mapping[int, Card],
        way: Way,
        now: float,
    ) -> QuotesAnswer:
        sides = {one.id: self._sides.of(one, rates.get(one.id)) for one in wanted.currencies}
        return composed(query.amount, int(now), wanted, sides, cards, way)


def _telling(failures: Collection[FreshrateError]) -> FreshrateError:
    """Of several failures the one that says most. A copy, for others wait for the same."""
    return copy.copy(min(failures, key=_place))


def _place(failure: FreshrateError) -> int:
    return next(
        (place for place, kind in enumerate(_MOST_TELLING) if isinstance(failure, kind)), len(_MOST_TELLING)
    )

"""When the sources were last asked for each currency: all that tells when a list must be renewed.

Plain numbers, kept apart from the rows, so that what is announced before a ranking names a currency counts too, and so that
a list of 5000 places costs a millisecond. Times in seconds since 1970.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate

from api.catalog import Catalog
from shared.domain.ranking import Ranking
from shared.domain.rate import Rate


class Checks:
    """By currency. Bounded: currencies of the catalog only."""

    def __init__(self, *, catalog: Catalog, preferred: str) -> None:
        """`preferred`: the source of prices that is asked first."""
        self._catalog = catalog
        self._preferred = preferred
        self._visited: dict[int, float] = {}
        """When the sources were asked in their order, whichever of them answered, and if only that it has none."""
        self._checked: dict[int, float] = {}
        """Of those with a price: when the preferred source answered, or another in its place. What another stated by the
        way, with its ranking, is no answer: the preferred one may well know better."""
        self._awaited: frozenset[int] = frozenset()
        self._oldest: dict[int, tuple[int, list[float]]] = {}
        """By the ranking's id: of which version, and for each of its first places the oldest check down to there."""
        self._version = 0

    # What is learned

    def note_price(self, rate: Rate) -> None:
        at = max(self._checked.get(rate.currency_id, -math.inf), self._asked(rate.currency_id))
        if rate.source == self._preferred:
            at = max(at, rate.fetched_at.timestamp())
        self._checked[rate.currency_id] = at
        self._version += 1

    def note_visit(self, currency_id: int, at: float) -> bool:
        """The sources were asked for it in their order. Whether that is news."""
        if at <= self._asked(currency_id) or (self._catalog.is_loaded and self._catalog.lacks([currency_id])):
            return False
        self._visited[currency_id] = at
        if currency_id in self._checked:
            self._checked[currency_id] = max(self._checked[currency_id], at)
        self._version += 1
        return True

    def note_awaited(self, currency_ids: Iterable[int]) -> None:
        """All that are being asked for in the background now: until there is an answer they make no list due."""
        self._awaited = frozenset(currency_ids)
        self._version += 1

    def forget(self, currency_id: int) -> None:
        """It has no price any more."""
        self._checked.pop(currency_id, None)
        self._version += 1

    def prune(self) -> None:
        """The catalog was loaded again."""
        self._visited = {one: at for one, at in self._visited.items() if self._catalog.get(one)}

    def keep(self, rankings: Sequence[Ranking]) -> None:
        """These are in memory; what was worked out for others is forgotten."""
        ids = {one.id for one in rankings}
        self._oldest = {one: oldest for one, oldest in self._oldest.items() if one in ids}

    # What is known

    def oldest(self, ranking: Ranking, limit: int) -> float:
        """When the one of the first so many was asked for that waits longest, of those that have a price and are not being
        asked for. Infinite where there is none to wait for."""
        if not ranking.currency_ids:
            return math.inf
        places = min(limit, len(ranking.currency_ids))
        version, oldest = self._oldest.get(ranking.id, (-1, []))
        if version != self._version or len(oldest) < places:
            oldest = list(accumulate(map(self._waiting, ranking.currency_ids[:places]), min))
            self._oldest[ranking.id] = (self._version, oldest)
        checked = oldest[places - 1]
        return checked if checked < math.inf else self._without_price(ranking.currency_ids[:limit])

    def before(self, currency_ids: Iterable[int], moment: float) -> list[int]:
        """Those of which no source was asked since."""
        checked, asked = self._checked, self._asked
        return [one for one in currency_ids if (checked[one] if one in checked else asked(one)) < moment]

    def _waiting(self, currency_id: int) -> float:
        if currency_id in self._awaited:
            return math.inf
        return self._checked.get(currency_id, math.inf)

    def _without_price(self, currency_ids: Collection[int]) -> float:
        """A list without a single price waits for one, as long as nobody said that there is none."""
        if not self._awaited.isdisjoint(currency_ids):
            return math.inf
        return max(map(self._asked, currency_ids), default=math.inf)

    def _asked(self, currency_id: int) -> float:
        return self._visited.get(currency_id, -math.inf)

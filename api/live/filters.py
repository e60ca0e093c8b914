"""Which currencies streams name, each set of them kept once, and all together bounded: an id in a set takes some 100 bytes of
the process, and 10,000 streams with 1000 of their own would take a gigabyte.
"""

from collections import Counter

from api.live.client import Ids
from shared.errors import StreamsBusy

MOST_NAMED = 1_000_000
"""Ids in all sets that differ."""


class Filters:
    """The sets in use."""

    def __init__(self) -> None:
        self._kept: dict[frozenset[int], frozenset[int]] = {}
        self._users: Counter[frozenset[int]] = Counter()
        self.named = 0

    def check(self, ids: Ids) -> None:
        """Raises StreamsBusy where one more of these is too much."""
        if ids is not None and ids not in self._kept and self.named + len(ids) > MOST_NAMED:
            raise StreamsBusy(
                "The streams of this process name as many currencies as it follows at once. Listen to all, or come back later."
            )

    def take(self, ids: Ids) -> Ids:
        """The same set, shared with all who have an equal one, until it is released."""
        if ids is None:
            return None
        if ids not in self._kept:
            self._kept[ids] = ids
            self.named += len(ids)
        self._users[ids] += 1
        return self._kept[ids]

    def release(self, ids: Ids) -> None:
        if ids is None:
            return
        self._users[ids] -= 1
        if not self._users[ids]:
            del self._users[ids], self._kept[ids]
            self.named -= len(ids)

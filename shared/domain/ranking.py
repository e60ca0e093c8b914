"""Rankings: the order of currencies that a source stated at one time, and the top list that comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.domain.rate import StatedPrice
from shared.errors import RankingTorn, UpstreamMalformed

LONGEST_RANKING = 5000
"""No list is longer, and no source is asked for more places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """A snapshot. One row, never changed: a currency that moves has another place in the next one."""

    id: int
    source: str
    observed_at: datetime
    """When the source had answered: rankings state no time of their own."""
    stored_at: datetime
    currency_ids: tuple[int, ...]
    """In order: the first has rank 1. Each at most once."""
    is_whole: bool
    """Whether the source ranks no more than these."""

    def covers(self, places: int) -> bool:
        """Whether nothing more can be had for a list of so many places."""
        return self.is_whole or len(self.currency_ids) >= places


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedCoin:
    """A coin at its place in a source's ranking, by the source's own names."""

    source_id: str
    """The source's own id, which never changes."""
    symbol: str
    name: str
    slug: str = ""
    """Empty where the source has none."""
    price: StatedPrice | None = None
    """What the ranking says of its price; None where that is nothing usable: the coin keeps its place all the same."""


@dataclass(frozen=True, slots=True)
class RankingPage:
    """One answer of a ranking that may come in several."""

    coins: tuple[RankedCoin, ...]
    size: int
    """How many places were asked for: the ranking goes on where it holds so many."""

    @property
    def is_full(self) -> bool:
        return len(self.coins) >= self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class TopRow:
    """A line of a top list."""

    rank: int
    currency_id: int
    symbol: str
    name: str
    price_usd: Decimal | None
    """None, like the two below, where no price was in force."""
    source: str | None
    """Of the price."""
    observed_at: datetime | None
    """Of the price."""


def merged(pages: Sequence[RankingPage], length: int) -> tuple[tuple[RankedCoin, ...], bool]:
    """The first `length` coins of all pages in their order, and whether the source ranks no more than these.

    UpstreamMalformed where something follows a page that is not full, or where there is nothing at all. RankingTorn where
    a coin stands twice: the order changed between two pages, and another coin may be missing for it. A coin that only
    left its page for one that was read before leaves no trace, and is missing unnoticed.
    """
    coins: list[RankedCoin] = []
    has_ended = False
    for page in pages:
        if has_ended and page.coins:
            raise UpstreamMalformed("The source left places of its ranking out.")
        coins.extend(page.coins)
        has_ended = not page.is_full
    if not coins:
        raise UpstreamMalformed("The source answered with an empty ranking.")
    if len({coin.source_id for coin in coins}) < len(coins):
        raise RankingTorn
    return tuple(coins[:length]), has_ended and len(coins) <= length

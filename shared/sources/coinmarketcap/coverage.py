"""Which calls cover which currencies for the fewest credits.

Quotes are 1 credit per 100 coins, by id; a listing is 1 per 200, the top by rank.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shared.domain.currency import FIRST_LOCAL_ID

COINS_PER_QUOTE_CREDIT = 100
COINS_PER_LISTING_CREDIT = 200
_LONGEST_LISTING = 5000
_NOT_LISTED = _LONGEST_LISTING + 1


@dataclass(frozen=True, slots=True)
class Part:
    """Currencies that one call covers."""

    currency_ids: tuple[int, ...]
    length: int = 0
    """Of the listing in which they stand; 0: they are asked for by id."""


def parts(currency_ids: Collection[int], ranks: Mapping[int, int]) -> list[Part]:
    """The cheapest mix of one listing of the top and requests by id for the rest; of equally dear ones that of the fewest
    calls, then the one with the shortest listing or none. Local currencies are in no part: CoinMarketCap does not know
    them."""
    wanted = sorted({one for one in currency_ids if one < FIRST_LOCAL_ID})
    if not wanted:
        return []
    places = {one: ranks.get(one, _NOT_LISTED) for one in wanted}
    length = min(_listing_lengths(places.values()), key=lambda length: _cost(length, places.values()))
    listed = tuple(one for one in wanted if 0 < places[one] <= length)
    rest = [one for one in wanted if not 0 < places[one] <= length]
    return [*([Part(listed, length)] if listed else []), *batches(rest)]


def batches(currency_ids: Collection[int]) -> list[Part]:
    """Requests by id for all of them but local ones."""
    wanted = sorted({one for one in currency_ids if one < FIRST_LOCAL_ID})
    return [
        Part(tuple(wanted[start : start + COINS_PER_QUOTE_CREDIT]))
        for start in range(0, len(wanted), COINS_PER_QUOTE_CREDIT)
    ]


def credits_for(coins: int, coins_per_credit: int) -> int:
    return -(-coins // coins_per_credit)


def _listing_lengths(places: Collection[int]) -> list[int]:
    """The lengths worth a thought: none, each full credit's worth, and the deepest place where that is less."""
    deepest = max((place for place in places if 0 < place <= _LONGEST_LISTING), default=0)
    return [*range(0, deepest, COINS_PER_LISTING_CREDIT), deepest]


def _cost(length: int, places: Collection[int]) -> tuple[int, int, int]:
    """Credits, calls and the length itself."""
    rest = sum(1 for place in places if not 0 < place <= length)
    quote_calls = credits_for(rest, COINS_PER_QUOTE_CREDIT)
    listing = credits_for(length, COINS_PER_LISTING_CREDIT)
    return listing + quote_calls, (length > 0) + quote_calls, length

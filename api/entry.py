"""What memory knows of one currency, and for how long that holds."""

import math
from dataclasses import dataclass, field

from api.answers import RateAnswer
from shared.domain.rate import Rate


@dataclass(slots=True, eq=False)
class Entry:
    """One currency. Times in seconds since 1970."""

    currency_id: int
    lives_until: float = -math.inf
    due_at: float = -math.inf
    """When the store is to be read: at the end of its life, or a pause after a read that failed."""
    asked_at: float = -math.inf
    """When somebody last asked for the currency."""
    not_renewed: bool = False
    """The store could not be read again when it was due."""
    rates: dict[str, Rate] = field(default_factory=dict)
    """By source."""
    answer: RateAnswer | None = None

    def take(self, rate: Rate) -> bool:
        """Keeps what is newer, and says whether it is."""
        held = self.rates.get(rate.source)
        if held is not None and not _is_newer(rate, held):
            return False
        self.rates[rate.source] = rate
        self.answer = None
        return True

    def live_until(self, end: float) -> None:
        self.lives_until = self.due_at = end

    def put_off(self, retry_at: float) -> None:
        """It was due, and the store could not be read."""
        self.due_at, self.not_renewed, self.answer = retry_at, True, None

    def note_reached(self) -> None:
        """The store was read, by whatever way. What is stale is judged anew: the catalog, which says for whom longer ages
        are none, may have come only now."""
        if self.not_renewed:
            self.not_renewed, self.due_at = False, self.lives_until
        if self.answer is not None and self.answer.is_stale:
            self.answer = None


def _is_newer(rate: Rate, held: Rate) -> bool:
    if rate.id == held.id:
        return rate.fetched_at > held.fetched_at
    return rate.position > held.position

"""The rankings in memory: the newest, and older ones only where they are longer."""

from shared.domain.ranking import Ranking


class KnownRankings:
    """Newest first; each is longer than those before it."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._rankings: list[Ranking] = []

    @property
    def newest(self) -> Ranking | None:
        return self._rankings[0] if self._rankings else None

    def learn(self, ranking: Ranking) -> bool:
        """Whether it is news."""
        if any(one.id == ranking.id or _is_better(one, ranking) for one in self._rankings):
            return False
        kept = [one for one in self._rankings if not _is_better(ranking, one)]
        self._rankings = sorted([*kept, ranking], key=_position, reverse=True)[: self._most]
        return True

    def of(self, limit: int, *, oldest: float) -> Ranking | None:
        """The newest that covers so many places, unless it was observed before `oldest` (seconds since 1970): then the
        newest of all."""
        for one in self._rankings:
            if one.covers(limit) and one.observed_at.timestamp() >= oldest:
                return one
        return self.newest

    def all(self) -> list[Ranking]:
        return list(self._rankings)

    def currency_ids(self) -> set[int]:
        return {currency_id for one in self._rankings for currency_id in one.currency_ids}


def _is_better(one: Ranking, other: Ranking) -> bool:
    return _position(one) >= _position(other) and one.covers(len(other.currency_ids))


def _position(ranking: Ranking) -> tuple[float, int]:
    return (ranking.observed_at.timestamp(), ranking.id)

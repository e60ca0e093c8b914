"""Which of a currency's rates is served."""

from collections.abc import Callable, Mapping, Sequence

from shared.domain.rate import Rate


class Preferred:
    """That of the first preferred source which has one not stale, else the newest."""

    def __init__(self, sources: Sequence[str], stale_after: Callable[[int], float]) -> None:
        """`sources`: the preferred first. `stale_after`: seconds since `fetched_at`, by currency id."""
        self._sources = tuple(sources)
        self._stale_after = stale_after

    def of(self, rates: Mapping[str, Rate], now: float) -> Rate:
        """`rates`: at least one, by source. `now`: seconds since 1970."""
        for source in self._sources:
            rate = rates.get(source)
            if rate is not None and not self.is_stale(rate, now):
                return rate
        return max(rates.values(), key=lambda one: one.position)

    def is_stale(self, rate: Rate, now: float) -> bool:
        return now - rate.fetched_at.timestamp() > self._stale_after(rate.currency_id)


def preference(source: str, sources: Sequence[str]) -> tuple[int, str]:
    """To sort by: the source's place in SOURCES; those that are no longer among them are last, by name."""
    return (sources.index(source) if source in sources else len(sources), source)

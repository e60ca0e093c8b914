"""One renewal of the list of now: the ranking and the prices, asked for side by side through both kinds of workers."""

import asyncio

from api.catalog import Catalog
from api.refresh import Refresher
from api.top.current import CurrentTop
from api.top.rankings import RankingRefresher
from shared.domain.ranking import LONGEST_RANKING
from shared.domain.times import Clock
from shared.errors import FreshrateError

RENEWED_WITH = 0.5
"""Share of the TTL from which on what is not due yet is renewed together with what is."""
COLD_MARGIN = 800
"""Where no ranking is long enough: so many more than the places are asked for by CoinMarketCap's rank, for the order is
another."""


class TopRenewal:
    """How it is done."""

    def __init__(
        self,
        *,
        current: CurrentTop,
        rankings: RankingRefresher,
        refresher: Refresher,
        catalog: Catalog,
        clock: Clock,
        ttl: float,
        one_visit: bool,
    ) -> None:
        """`ttl`: seconds. `one_visit`: the visit for the ranking brings the prices too."""
        self._current = current
        self._rankings = rankings
        self._refresher = refresher
        self._catalog = catalog
        self._clock = clock
        self._ttl = ttl
        self._one_visit = one_visit
        self._asides: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._asides:
            task.cancel()
        await asyncio.gather(*self._asides, return_exceptions=True)

    async def run(self, length: int, request_id: str) -> list[FreshrateError]:
        """Both workers are asked side by side. Gives what went wrong."""
        now = self._clock().timestamp()
        length = min(length, LONGEST_RANKING)
        before = now - RENEWED_WITH * self._ttl
        ranking = self._current.ranking_of(length, now)
        asks_ranking = (
            ranking is None or not ranking.covers(length) or ranking.observed_at.timestamp() < before
        )
        wanted: list[int] = []
        if not (self._one_visit and asks_ranking):
            wanted = self._current.unchecked(length, now, before=before)
            if ranking is None or not ranking.covers(length):
                known = ranking.currency_ids if ranking else ()
                wanted += [one for one in self._catalog.top(length + COLD_MARGIN) if one not in known]
        came, prices = await asyncio.gather(
            self._rankings.refresh(length, request_id=request_id) if asks_ranking else _nothing(),
            self._refresher.fly(wanted, request_id=request_id),
        )
        errors = [came] if isinstance(came, FreshrateError) else []
        # That one was asked for which has left the list meanwhile, or has no price, is no failure of the list.
        unchecked = self._current.unchecked(length, self._clock().timestamp(), before=before)
        failed = {one for one in unchecked if isinstance(prices.get(one), FreshrateError)}
        errors += [error for one in failed if isinstance(error := prices[one], FreshrateError)]
        self._ask_aside(frozenset(unchecked) - failed, request_id)
        return errors

    def _ask_aside(self, late: frozenset[int], request_id: str) -> None:
        """The prices of those that only the new ranking named, or that another source stated by the way before the preferred
        one had answered. Nobody waits for them: the sources are never waited for one after the other, and until then each
        row says how old its price is."""
        if not late:
            return
        self._current.await_prices(late)
        asking = asyncio.create_task(self._ask(late, request_id), name="late prices")
        self._asides.add(asking)
        asking.add_done_callback(self._asides.discard)

    async def _ask(self, late: frozenset[int], request_id: str) -> None:
        try:
            await self._refresher.fly(late, request_id=request_id)
        finally:
            self._current.end_waiting(late)


async def _nothing() -> None:
    """Asked of nobody."""

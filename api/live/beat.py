"""What is done for live streams every 15 s, whether rates come or not.

A heartbeat shows that both ends are there. What somebody listens to by its id is noted as asked for, so it is polled. The
last rate of a currency may become another one by the clock alone, where that of the preferred source becomes stale. And a
local currency may turn out to be another: whoever listens to it then listens to that.
"""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import structlog

from api.catalog import Catalog
from api.live.client import Ids
from api.live.hub import LiveRates
from api.memory import RateMemory
from shared.domain.times import Clock

log = structlog.get_logger(__name__)

BEAT_SECONDS = 15.0
SLICE = 500
"""Currencies that are looked at before others get their turn."""

Item = TypeVar("Item")


class Beat:
    """Ticks until cancelled."""

    def __init__(self, *, live: LiveRates, memory: RateMemory, catalog: Catalog, clock: Clock) -> None:
        self._live = live
        self._memory = memory
        self._catalog = catalog
        self._clock = clock

    async def run(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self.tick()
            except Exception:  # the next one may be good
                log.exception("live beat broke")

    async def tick(self) -> None:
        await self._tell_by_the_clock()
        self._follow_merged()
        await self._note_asked()
        for client in [one for group in self._live.groups for one in group.members]:
            await self._live.beat(client)

    async def _tell_by_the_clock(self) -> None:
        for part in _sliced(self._memory.currency_ids()):
            for currency_id in part:
                self._live.tell_served(currency_id)
            await asyncio.sleep(0)

    async def _note_asked(self) -> None:
        for ids in [group.ids for group in self._live.groups if group.ids]:
            self._memory.note_asked(ids, self._clock().timestamp())
            await asyncio.sleep(0)

    def _follow_merged(self) -> None:
        """Whoever is out of its group is looked at when it is back."""
        merged = frozenset(self._catalog.merged())
        if not merged:
            return
        for group in [one for one in self._live.groups if one.ids and not merged.isdisjoint(one.ids)]:
            ids = self._current(group.ids)
            for client in list(group.members):
                self._live.redirect(client, ids)

    def _current(self, ids: Ids) -> Ids:
        return ids and frozenset(self._catalog.successor(one) or one for one in ids)


def _sliced(items: Sequence[Item]) -> list[Sequence[Item]]:
    return [items[start : start + SLICE] for start in range(0, len(items), SLICE)]

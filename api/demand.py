"""What clients asked for, told to the workers by way of the store, so that polls keep it fresh.

Asking costs a time on an entry in memory; those times are stored now and then. What could not be stored goes with the next
try, and what was asked for since the last one goes when the process ends.
"""

import asyncio
import random

import structlog

from api.memory import RateMemory
from shared.domain.times import Clock
from shared.errors import FreshrateError
from shared.outage_log import OutageLog
from shared.ports import Storage

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 30.0
LAST_FLUSH_SECONDS = 1.0
"""For what is left when the process ends."""


class Demand:
    """Stores when each currency was last asked for."""

    def __init__(self, storage: Storage, memory: RateMemory, clock: Clock) -> None:
        self._storage = storage
        self._memory = memory
        self._clock = clock
        self._flushed = clock().timestamp()
        """What was asked for before this time is stored."""
        self._outage = OutageLog("demand not stored", "demand stored again")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, no secret
            await self._try()

    async def close(self) -> None:
        """Stores what is left, if that can be done in a moment."""
        try:
            async with asyncio.timeout(LAST_FLUSH_SECONDS):
                await self._try()
        except TimeoutError:
            log.warning("demand not stored", error="The store did not answer in time.")

    async def _try(self) -> None:
        try:
            await self._flush()
            self._outage.note_success()
        except FreshrateError as error:
            self._outage.note_failure(error)
        except Exception:  # whatever it was, the next flush may be good
            log.exception("demand not stored")

    async def _flush(self) -> None:
        moment = self._clock()
        now = moment.timestamp()
        # Where the clock was set back nobody can tell what was asked for since, so all of it goes once more.
        asked = self._memory.asked_since(self._flushed if self._flushed <= now else 0.0)
        if asked:
            await self._storage.record_demand(asked, now=moment)
        self._flushed = now

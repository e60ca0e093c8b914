"""How the service is, for people who look at it: made at most once a second, however many pages ask."""

import asyncio
from collections.abc import Awaitable
from contextvars import Context
from typing import TypeVar

import orjson

from api.catalog import Catalog
from api.encoding import Json
from api.memory import RateMemory
from api.river import River
from api.top.current import CurrentTop
from shared import __version__
from shared.domain.times import Clock, iso
from shared.errors import FreshrateError, QueueUnavailable, StorageUnavailable
from shared.messages import Role
from shared.ports import Queue, Storage
from shared.settings import Settings

OK = "ok"
PATIENCE = 1.0
"""Seconds for the database, and for the queue."""
LIFE = 1.0
"""Seconds for which one answer serves all."""

T = TypeVar("T")


class Status:
    """The parts that can be in trouble, and what the page must know of the settings."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        queue: Queue,
        memory: RateMemory,
        catalog: Catalog,
        river: River,
        top: CurrentTop,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._queue = queue
        self._memory = memory
        self._catalog = catalog
        self._river = river
        self._top = top
        self._clock = clock
        self._making: asyncio.Task[bytes] | None = None
        self._made_at = 0.0

    async def encoded(self) -> bytes:
        """The answer as JSON, not older than a second. Whoever leaves ends it for nobody else."""
        loop_time = asyncio.get_running_loop().time()
        if self._making is None or (self._making.done() and loop_time - self._made_at >= LIFE):
            self._making = asyncio.create_task(self._make(), name="status", context=Context())
        return await asyncio.shield(self._making)

    async def close(self) -> None:
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)

    async def _make(self) -> bytes:
        database, workers = await asyncio.gather(self._database(), self._workers())
        told = orjson.dumps({**self._own(), "database": database, **workers})
        self._made_at = asyncio.get_running_loop().time()
        return told

    def _own(self) -> Json:
        """What this process knows by itself."""
        settings = self._settings
        newest, ranked = self._memory.newest_fetch, self._top.observed_at
        return {
            "datetime": iso(self._clock()),
            "version": __version__,
            "simulated": settings.is_simulated,
            "sources": list(settings.enabled_sources),
            "stale_after": settings.stale_after_seconds,
            "refresh_timeout": settings.refresh_timeout_seconds,
            "upload_needs_key": bool(settings.api_keys),
            "upload_max_bytes": settings.deals_max_bytes,
            "deals_currency": settings.deals_currency,
            "newest_rate_at": iso(newest) if newest else None,
            "ranked_at": iso(ranked) if ranked else None,
            "stream": OK if self._river.is_flowing else "The stream of facts is not being read.",
            "catalog": OK if self._catalog.is_loaded else "The catalog of currencies is not loaded yet.",
        }

    async def _database(self) -> str:
        try:
            await _soon(self._storage.ping())
        except (StorageUnavailable, TimeoutError):
            return str(StorageUnavailable())  # where it is, and what its driver said, is for the log
        return OK

    async def _workers(self) -> Json:
        """The state of the queue, and how many workers it knows alive; null where it does not answer."""
        try:
            pricing, ranking = await _soon(
                asyncio.gather(self._queue.depth(Role.PRICING), self._queue.depth(Role.RANKING))
            )
        except (FreshrateError, TimeoutError):
            return {"queue": str(QueueUnavailable()), "workers": None}
        return {"queue": OK, "workers": {"pricing": pricing.workers, "ranking": ranking.workers}}


async def _soon(answer: Awaitable[T]) -> T:
    async with asyncio.timeout(PATIENCE):
        return await answer

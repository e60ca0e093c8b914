"""Reads last rates from the store, one read at a time; what is wanted meanwhile shares the next read."""

import asyncio
from collections.abc import Callable, Collection, Sequence

import structlog

from shared.domain.rate import Rate
from shared.errors import FreshrateError, StorageUnavailable
from shared.ports import Storage

log = structlog.get_logger(__name__)


class LastRateReader:
    """Calls `arrived` or `failed` for every batch that was wanted."""

    def __init__(
        self,
        storage: Storage,
        arrived: Callable[[Collection[int], Sequence[Rate]], None],
        failed: Callable[[Collection[int]], None],
    ) -> None:
        self._storage = storage
        self._arrived = arrived
        self._failed = failed
        self._wanted: set[int] = set()
        self._reading: set[int] = set()
        self._waiting: list[asyncio.Future[FreshrateError | None]] = []
        """Those who wait for what is wanted, which is one read."""
        self._task: asyncio.Task[None] | None = None

    def want(self, currency_id: int) -> None:
        """Has it read soon; nobody waits."""
        if currency_id not in self._reading:
            self._enqueue([currency_id])

    async def read(self, currency_ids: Collection[int]) -> None:
        """Returns when all were read, from now on. Raises StorageUnavailable."""
        if not currency_ids:
            return
        done: asyncio.Future[FreshrateError | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._enqueue(currency_ids)
        error = await done
        if error is not None:
            raise StorageUnavailable(str(error))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _enqueue(self, currency_ids: Collection[int]) -> None:
        self._wanted.update(currency_ids)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="last rate reader")

    async def _run(self) -> None:
        try:
            while self._wanted:
                self._reading, self._wanted = self._wanted, set()
                waiting, self._waiting = self._waiting, []
                error = await self._read(self._reading)
                for done in waiting:
                    if not done.done():
                        done.set_result(error)
        finally:
            self._reading, self._task = set(), None

    async def _read(self, currency_ids: Collection[int]) -> FreshrateError | None:
        try:
            self._arrived(currency_ids, await self._storage.last_rates(currency_ids))
        except FreshrateError as error:
            log.warning("last rates not read", currencies=len(currency_ids), error=str(error))
            self._failed(currency_ids)
            return error
        except Exception:  # a defect there must not end the reading for good
            log.exception("last rates not read", currencies=len(currency_ids))
            self._failed(currency_ids)
            return StorageUnavailable()
        return None

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
        failed: Callable[[Collection[int], FreshrateError], None],
    ) -> None:
        self._storage = storage
        self._arrived = arrived
        self._failed = failed
        self._wanted: dict[int, list[asyncio.Future[FreshrateError | None]]] = {}
        self._reading: set[int] = set()
        self._task: asyncio.Task[None] | None = None

    def want(self, currency_id: int) -> None:
        """Has it read soon; nobody waits."""
        if currency_id not in self._reading:
            self._enqueue(currency_id)

    async def read(self, currency_id: int) -> None:
        """Returns when it was read. Raises StorageUnavailable."""
        done: asyncio.Future[FreshrateError | None] = asyncio.get_running_loop().create_future()
        self._enqueue(currency_id).append(done)
        error = await done
        if error is not None:
            raise StorageUnavailable(str(error))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _enqueue(self, currency_id: int) -> list[asyncio.Future[FreshrateError | None]]:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="last rate reader")
        return self._wanted.setdefault(currency_id, [])

    async def _run(self) -> None:
        try:
            while self._wanted:
                batch, self._wanted = self._wanted, {}
                self._reading = set(batch)
                error = await self._read(batch.keys())
                for done in (one for waiting in batch.values() for one in waiting if not one.done()):
                    done.set_result(error)
        finally:
            self._reading, self._task = set(), None

    async def _read(self, currency_ids: Collection[int]) -> FreshrateError | None:
        try:
            rates = await self._storage.last_rates(currency_ids)
        except FreshrateError as error:
            log.warning("last rates not read", currencies=len(currency_ids), error=str(error))
            self._failed(currency_ids, error)
            return error
        except Exception:  # a defect there must not end the reading for good
            log.exception("last rates not read", currencies=len(currency_ids))
            broken = StorageUnavailable()
            self._failed(currency_ids, broken)
            return broken
        self._arrived(currency_ids, rates)
        return None

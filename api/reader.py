"""Reads last rates from the store, one read at a time; what is wanted meanwhile shares the next read."""

import asyncio
import contextvars
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
        self._next: asyncio.Future[FreshrateError | None] | None = None
        """The end of the next read, for those who wait for what is wanted."""
        self._task: asyncio.Task[None] | None = None

    def want(self, currency_id: int) -> None:
        """Has it read soon; nobody waits."""
        if currency_id not in self._reading:
            self._enqueue([currency_id])

    async def read(self, currency_ids: Collection[int], *, within: float | None = None) -> None:
        """Returns when all were read, from now on. Raises StorageUnavailable, also where that takes more than so many
        seconds; the read goes on then."""
        if not currency_ids:
            return
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        ended = self._next
        self._enqueue(currency_ids)
        await asyncio.wait([ended], timeout=within)
        if not ended.done():
            self._failed(currency_ids)
            raise StorageUnavailable("The database does not answer in time.")
        error = ended.result()
        if error is not None:
            raise StorageUnavailable(str(error))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _enqueue(self, currency_ids: Collection[int]) -> None:
        self._wanted.update(currency_ids)
        if self._task is None:
            # It serves many requests, so its log lines are none of the request's that happens to start it.
            self._task = asyncio.create_task(
                self._run(), name="last rate reader", context=contextvars.Context()
            )

    async def _run(self) -> None:
        try:
            while self._wanted:
                self._reading, self._wanted = self._wanted, set()
                ended, self._next = self._next, None
                error = await self._read(self._reading)
                if ended is not None:
                    ended.set_result(error)
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

"""Work that those who ask for the same at once share."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from typing import Generic, TypeVar

from shared.errors import DeadlineExceeded, FreshrateError

Key = TypeVar("Key", bound=Hashable)
Thing = TypeVar("Thing")


class SharedWork(Generic[Key, Thing]):
    """What is under way, by what it is for. Whoever stops waiting ends nothing for the others, and a failure is not kept."""

    def __init__(self, work: Callable[[Key], Awaitable[Thing]], *, name: str) -> None:
        """`name`: of its tasks."""
        self._work = work
        self._name = name
        self._tasks: dict[Key, asyncio.Task[Thing | FreshrateError]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, key: Key) -> bool:
        return key in self._tasks

    def begin(self, key: Key) -> asyncio.Task[Thing | FreshrateError]:
        """Unless it is under way. Its outcome is no exception where it failed, so it need not be waited for."""
        task = self._tasks.get(key)
        if task is None:
            # It outlives the request that began it, so nothing of that request is its own.
            task = asyncio.create_task(self._outcome(key), name=self._name, context=Context())
            self._tasks[key] = task
            task.add_done_callback(lambda _task: self._tasks.pop(key, None))
        return task

    async def result(self, key: Key, *, within: float | None = None) -> Thing:
        """Raises the failure of the work; DeadlineExceeded where it takes longer than so many seconds, and goes on."""
        task = self.begin(key)
        await asyncio.wait([task], timeout=within)
        if not task.done():
            raise DeadlineExceeded("This takes longer. It goes on, so ask again in some seconds.")
        outcome = task.result()
        if isinstance(outcome, FreshrateError):
            raise copy.copy(outcome)
        return outcome

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _outcome(self, key: Key) -> Thing | FreshrateError:
        try:
            return await self._work(key)
        except FreshrateError as error:
            return error

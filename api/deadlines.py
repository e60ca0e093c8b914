"""The end of flights whose time is up: soon, whatever happens, and with the reason where it can be learned."""

import asyncio
from collections.abc import Callable
from typing import Generic

import structlog

from api.flight import Flight, Key, Thing
from shared.errors import DeadlineExceeded, FreshrateError, QueueUnavailable, WorkerGone
from shared.messages import Role
from shared.ports import Queue

log = structlog.get_logger(__name__)

REASON_SECONDS = 0.2
"""After its deadline a flight lasts no longer: to learn whether a worker is alive, so the answer says what is wrong."""


class Deadlines(Generic[Key, Thing]):
    """Watches over flights. Those that are late while the queue is being asked share that question."""

    def __init__(
        self, *, queue: Queue, role: Role, end: Callable[[Flight[Key, Thing], FreshrateError], None]
    ) -> None:
        self._queue = queue
        self._role = role
        self._end = end
        self._late: list[Flight[Key, Thing]] = []
        self._question: asyncio.Task[None] | None = None

    def watch(self, flight: Flight[Key, Thing]) -> None:
        flight.timers.append(asyncio.get_running_loop().call_at(flight.deadline, self._expire, flight))

    async def close(self) -> None:
        if self._question is not None:
            self._question.cancel()
            await asyncio.gather(self._question, return_exceptions=True)

    def _expire(self, flight: Flight[Key, Thing]) -> None:
        """The timer ends it where the question does not; it is set first, so nothing that goes wrong here strands it."""
        too_late = flight.deadline + REASON_SECONDS
        loop = asyncio.get_running_loop()
        flight.timers.append(loop.call_at(too_late, self._end, flight, DeadlineExceeded()))
        self._late.append(flight)
        if self._question is None:
            self._question = asyncio.create_task(self._end_late(), name="refresh deadline")

    async def _end_late(self) -> None:
        outcome: FreshrateError = DeadlineExceeded()
        try:
            try:
                outcome = await self._why_late()
            finally:
                self._question = None
                late, self._late = self._late, []
                for flight in late:
                    self._end(flight, outcome)
        except Exception:  # a defect there must leave nobody waiting
            log.exception("queue depth not known")

    async def _why_late(self) -> FreshrateError:
        try:
            async with asyncio.timeout(REASON_SECONDS):
                depth = await self._queue.depth(self._role)
        except QueueUnavailable as error:
            return error
        except TimeoutError:
            log.warning("queue depth not known in time")
            return DeadlineExceeded()
        return DeadlineExceeded() if depth.workers else WorkerGone()

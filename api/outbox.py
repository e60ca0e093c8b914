"""Commands on their way to the queue: the first goes at once, those that come while it is being submitted go next."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import structlog

from shared.errors import FreshrateError, QueueUnavailable, WorkerGone
from shared.messages import Command, Role
from shared.ports import LostClaim, Queue

log = structlog.get_logger(__name__)

SUBMIT_SECONDS = 1.5
"""A queue that does not answer within this is down: whoever waits hears it within 2 s."""


class Outbox:
    """Submits until nothing waits. A queue that is down fails those that came meanwhile too."""

    def __init__(
        self,
        *,
        queue: Queue,
        role: Role,
        most: int,
        renewed: Callable[[], Iterable[Command]],
        wait: Callable[[Iterable[Command]], timedelta],
        follow: Callable[[Sequence[LostClaim], Sequence[Command]], None],
        fail: Callable[[Iterable[Command], FreshrateError], None],
    ) -> None:
        """`most`: commands of one submit. `renewed`: those that are to be made and sent now. `wait`: the longest that
        anybody waits for one of these. `follow`: what others visit already, of these. `fail`: these were not submitted.
        """
        self._queue = queue
        self._role = role
        self._most = most
        self._renewed = renewed
        self._wait = wait
        self._follow = follow
        self._fail = fail
        self._waiting: list[Command] = []
        self._sender: asyncio.Task[None] | None = None

    def post(self, command: Command) -> None:
        self._waiting.append(command)
        self.send()

    def send(self) -> None:
        """Also what is to be renewed."""
        if self._sender is None:
            self._sender = asyncio.create_task(self._send(), name="refresh sender")

    def clear(self) -> None:
        """Nobody waits any more for what was not sent yet."""
        self._waiting.clear()

    async def close(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)

    async def _send(self) -> None:
        try:
            while commands := self._next(self._most):
                await self._submit(commands)
        finally:
            self._sender = None

    def _next(self, most: int | None = None) -> list[Command]:
        self._waiting += self._renewed()
        commands = self._waiting[:most]
        del self._waiting[:most]
        return commands

    async def _submit(self, commands: Sequence[Command]) -> None:
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                lost = await self._queue.submit(self._role, commands, wait=self._wait(commands))
        except WorkerGone as error:
            self._fail(commands, error)
        except (QueueUnavailable, TimeoutError) as error:
            self._fail([*commands, *self._next()], QueueUnavailable())
            log.warning("refresh not submitted", error=str(error) or "no answer in time")
        except Exception:  # a defect there must leave nobody waiting
            self._fail(commands, QueueUnavailable())
            log.exception("refresh not submitted")
        else:
            self._follow(lost, commands)

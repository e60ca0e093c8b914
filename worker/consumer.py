"""Takes the commands of a role, all that waits as one batch, has them executed, and announces what came of it.

What arrives during a visit forms the next batch. Where a burst is under way (others of the role are at work, or commands
were waiting already) the worker lets it arrive for a moment, so that it shares one visit. A command that comes back
runs alone, so it cannot harm its neighbours, and is dead-lettered after three attempts. What commands do is said in
`worker.commands`.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from shared import tracing
from shared.domain.visit import FailureKind
from shared.errand import Deadline
from shared.errors import QueueUnavailable
from shared.messages import Command, Fact, Role
from shared.opening import World
from shared.outage_log import OutageLog
from shared.ports import Batch, DeadLetter, Delivery
from shared.visit_meters import Phase
from worker.commands import HANDLERS, failed

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3
BLOCK = timedelta(seconds=2)
QUIET = 0.005
"""Seconds without a new command after which a burst is over. Where cores are shared, gaps of 2 ms are usual, and every burst
that is cut in two costs a call more."""
LONGEST_BURST = 0.02
"""Seconds after which it is taken as it is: whoever came first must not wait for ever more."""
SLOWEST_RETRY = 1.0
FINISH_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _Work:
    """A command to execute, its delivery, and when nobody waits for it any more."""

    delivery: Delivery
    command: Command
    deadline: Deadline


class Consumer:
    """The command loop of one role in one worker."""

    def __init__(self, role: Role, worker: str, world: World) -> None:
        self._role = role
        self._handler = HANDLERS[role]
        self._worker = worker
        self._world = world
        self._stopping = False
        self._waiting: asyncio.Timeout | None = None
        self._outage = OutageLog("queue unavailable", "queue back", role=role.value)

    def stop(self) -> None:
        """Finishes what is in hand and takes nothing more. What a take moved that is ended here is given back at the end."""
        self._stopping = True
        if self._waiting and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        pause = 0.05
        while not self._stopping:
            try:
                batch = await self._take()
                if batch:
                    await self._work(batch, asyncio.get_running_loop().time())
                if not self._stopping:
                    self._outage.note_success()
                pause = 0.05
            except QueueUnavailable as error:
                self._outage.note_failure(error)
                pause = await self._pause(pause)
            except Exception:  # a defect must not end the worker: what it holds is taken up again
                log.exception("consumer broke", role=self._role.value)
                pause = await self._pause(pause)

    async def _pause(self, pause: float) -> float:
        """Sleeps, with jitter, and gives the next pause."""
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
        return min(pause * 2, SLOWEST_RETRY)

    async def _take(self) -> Batch | None:
        """All that can be worked on now; None where nothing came or the worker stops."""
        try:
            async with asyncio.timeout(None) as self._waiting:
                batch = await self._world.queue.take(self._role, self._worker, block=BLOCK)
        except TimeoutError:
            return None
        finally:
            self._waiting = None
        if not batch.deliveries:
            return None
        if batch.others_at_work or not batch.was_waited_for or len(batch.deliveries) > 1:
            return await self._let_burst_arrive(batch)
        return batch

    async def _let_burst_arrive(self, batch: Batch) -> Batch:
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST_BURST
        while loop.time() < end:
            await asyncio.sleep(QUIET)
            more = await self._world.queue.take(self._role, self._worker, block=None)
            if len(more.deliveries) == len(batch.deliveries):
                break
            batch = more
        return batch

    async def _work(self, batch: Batch, taken_at: float) -> None:
        """Fresh commands first: one that came back may take long, or do harm again."""
        fresh: list[_Work] = []
        returned: list[_Work] = []
        now = self._world.clock()
        for delivery in batch.deliveries:
            if delivery.command:
                # Clocks differ: a sender's that is ahead of ours must not make this negative.
                queued = (now - delivery.command.created_at).total_seconds()
                self._world.meters.phase(Phase.QUEUE)(max(0.0, queued))
            if delivery.command is None:
                await self._bury(delivery, "not a command of this version")
            elif not isinstance(delivery.command, self._handler.kind):
                await self._bury(delivery, "not a command of this role", FailureKind.NOT_TRIED)
            elif delivery.attempt > MAX_ATTEMPTS:
                await self._bury(delivery, f"given up after {MAX_ATTEMPTS} attempts")
            else:
                deadline = Deadline(taken_at + delivery.time_left.total_seconds())
                work = _Work(delivery, delivery.command, deadline)
                (fresh if delivery.attempt == 1 else returned).append(work)
        for works in (fresh, *([work] for work in returned)):
            awaited: list[_Work] = []
            for work in works:
                if work.deadline.time_left():
                    awaited.append(work)
                else:
                    await self._drop_expired(work)
            if awaited:
                await self._execute(awaited)

    async def _execute(self, works: Sequence[_Work]) -> None:
        commands = [work.command for work in works]
        with structlog.contextvars.bound_contextvars(
            request_id=",".join(command.request_id for command in commands)
        ):
            try:
                with tracing.span(
                    "refresh",
                    kind=tracing.Kind.CONSUMER,
                    parents=[command.traceparent for command in commands],
                    attributes={"commands": len(commands), "role": self._role.value},
                ):
                    await self._refresh(works, commands)
            except QueueUnavailable:
                raise
            except Exception:  # a defect must not end the worker: the command comes back, alone
                log.exception("refresh broke", commands=[command.id for command in commands])
                await self._world.queue.give_back(self._role, self._worker, [work.delivery for work in works])

    async def _refresh(self, works: Sequence[_Work], commands: Sequence[Command]) -> None:
        facts = await self._handler.execute(
            commands, self._world, time_left=max(work.deadline.time_left() for work in works)
        )
        announcing = tracing.span(
            "announce",
            attributes={"facts": len(facts)},
            observe=self._world.meters.phase(Phase.ANNOUNCE),
        )
        with announcing:
            await self._finish(facts, done=[work.delivery for work in works])

    async def _drop_expired(self, work: _Work) -> None:
        log.info("command expired", command=work.command.id, request_id=work.command.request_id)
        fact = failed(work.command, FailureKind.DEADLINE, "The time was up before a worker could begin.")
        await self._finish([fact], done=[work.delivery])

    async def _bury(self, delivery: Delivery, reason: str, kind: FailureKind = FailureKind.VISITED) -> None:
        log.error("dead letter", reason=reason, payload=delivery.payload[:200].decode(errors="replace"))
        facts: list[Fact] = []
        if delivery.command:
            facts.append(failed(delivery.command, kind, f"The refresh was {reason}."))
        await self._finish(facts, dead=[DeadLetter(delivery, reason)])

    async def _finish(
        self, facts: Sequence[Fact], *, done: Sequence[Delivery] = (), dead: Sequence[DeadLetter] = ()
    ) -> None:
        """What is done is announced even if the queue is away for a moment, so nobody visits twice for it."""
        pause = 0.05
        for attempt in range(1, FINISH_ATTEMPTS + 1):
            try:
                await self._world.queue.finish(self._role, self._worker, facts=facts, done=done, dead=dead)
            except QueueUnavailable:
                if attempt == FINISH_ATTEMPTS:
                    raise
                await asyncio.sleep(pause)
                pause *= 2
            else:
                return

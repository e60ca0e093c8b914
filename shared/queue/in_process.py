"""The queue inside one process: the same rules as in Redis, for the standalone form and for tests.

Everything runs on one loop and no step awaits half way, so each method is as atomic as a script in Redis. The
queue's clock is the one it is given. Dead letters go to the log: nothing outlives the process anyhow.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from shared.domain.times import Clock, micros, utc_now
from shared.errors import QueueUnavailable, WorkerGone
from shared.messages import COMMANDS, Command, Fact, Role
from shared.ports import Announced, Batch, DeadLetter, Delivery, LostClaim, QueueDepth, StreamEvent
from shared.queue.desk import Desk, Entry
from shared.queue.subscription import Subscription
from shared.queue.wire import claims_of, conditions_of, currency_of, pushed, time_left

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Claim:
    command_id: str
    expires_at: datetime


class InProcessQueue:
    """Holds everything in memory; closing it loses all."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._desks: defaultdict[Role, Desk] = defaultdict(Desk)
        self._claims: dict[str, _Claim] = {}
        self._subscriptions: set[Subscription] = set()
        self._announced = 0
        self._is_closed = False

    async def ping(self) -> None:
        self._check_open()

    async def close(self) -> None:
        self._is_closed = True
        for subscription in self._subscriptions:
            subscription.close()
        for desk in self._desks.values():
            desk.arrived.set()

    async def submit(self, role: Role, commands: Sequence[Command], *, wait: timedelta) -> list[LostClaim]:
        self._check_open()
        desk, now = self._desks[role], self._clock()
        if not desk.alive(now):
            raise WorkerGone
        deadline = now + wait
        lost: list[LostClaim] = []
        for command in commands:
            lost += self._lost(command, now)
            won = [one for one in claims_of(command) if self._claim(one, command.id, now, deadline)]
            if won:
                kept = pushed(command, won, deadline_ms=micros(deadline) // 1000)
                desk.accept(Entry(COMMANDS.dump_json(kept), kept))
        return lost

    def _lost(self, command: Command, now: datetime) -> list[LostClaim]:
        held = ((one, self._claims.get(one)) for one in claims_of(command))
        return [
            LostClaim(currency_of(name), claim.command_id, claim.expires_at - now)
            for name, claim in held
            if claim and claim.expires_at > now
        ]

    def _claim(self, name: str, command_id: str, now: datetime, expires_at: datetime) -> bool:
        claim = self._claims.get(name)
        if claim and claim.expires_at > now:
            return False
        self._claims[name] = _Claim(command_id, expires_at)
        return True

    async def take(self, role: Role, worker: str, *, block: timedelta | None) -> Batch:
        batch = self._held(role, worker)
        if block is None:
            return batch
        try:
            async with asyncio.timeout(block.total_seconds()):
                while not batch.deliveries:
                    await self._desks[role].arrived.wait()
                    batch = replace(self._held(role, worker), was_waited_for=True)
        except TimeoutError:
            pass
        return batch

    def _held(self, role: Role, worker: str) -> Batch:
        self._check_open()
        desk, now = self._desks[role], self._clock()
        desk.note_alive(worker, now)
        deliveries = [
            Delivery(
                entry.payload,
                entry.command,
                attempt=entry.came_back + 1,
                time_left=time_left(entry.command, now=now),
            )
            for entry in desk.move_to(worker)
        ]
        return Batch(tuple(deliveries), others_at_work=desk.others_at_work(worker, now))

    async def finish(
        self,
        role: Role,
        worker: str,
        *,
        facts: Sequence[Fact] = (),
        done: Sequence[Delivery] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        self._check_open()
        desk = self._desks[role]
        finished = [one for one in done if desk.end(worker, one.payload, is_dead=False)]
        buried = [one for one in dead if desk.end(worker, one.delivery.payload, is_dead=True)]
        for letter in buried:
            log.warning("dead letter", reason=letter.reason, payload=letter.delivery.payload.decode())
        ended = [*finished, *(letter.delivery for letter in buried)]
        for delivery in ended:
            self._release(delivery.command)
        heard = {None, *(delivery.command.id for delivery in ended if delivery.command)}
        conditions = conditions_of(facts, (*done, *(letter.delivery for letter in dead)))
        self._tell([fact for fact, condition in zip(facts, conditions, strict=True) if condition in heard])

    def _release(self, command: Command | None) -> None:
        for name in claims_of(command) if command else ():
            claim = self._claims.get(name)
            if claim and command and claim.command_id == command.id:
                del self._claims[name]

    async def give_back(self, role: Role, worker: str, deliveries: Sequence[Delivery]) -> None:
        self._check_open()
        self._desks[role].put_back(worker, {delivery.payload for delivery in deliveries})

    async def announce(self, facts: Sequence[Fact]) -> None:
        self._check_open()
        self._tell(facts)

    def _tell(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            self._announced += 1
            place = f"{micros(self._clock()) // 1000}-{self._announced}"
            for subscription in self._subscriptions:
                subscription.tell(Announced(place, fact))

    async def heartbeat(self, role: Role, worker: str) -> None:
        self._check_open()
        self._desks[role].note_alive(worker, self._clock())

    async def retire(self, role: Role, worker: str) -> None:
        self._check_open()
        self._desks[role].forget(worker)

    async def rescue(self, role: Role) -> int:
        self._check_open()
        return self._desks[role].forget_dead(self._clock())

    async def depth(self, role: Role) -> QueueDepth:
        self._check_open()
        return self._desks[role].depth(self._clock())

    async def events(self) -> AsyncGenerator[StreamEvent]:
        subscription = Subscription()
        if self._is_closed:
            subscription.close()
        self._subscriptions.add(subscription)
        try:
            while (event := await subscription.next()) is not None:
                yield event
        finally:
            self._subscriptions.discard(subscription)

    def _check_open(self) -> None:
        if self._is_closed:
            raise QueueUnavailable("The queue is closed.")

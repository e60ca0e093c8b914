"""The queue in Redis: commands on a list per role, facts on one stream.

Every change is one script (`shared.queue.scripts`), so a crash between two steps cannot happen. A command that a
worker takes moves to that worker's own list and stays there until it is finished; what a lost answer or a
cancellation leaves on that list is handed out by the next `take`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.domain.times import Clock, time_from_micros, utc_now
from shared.errors import WorkerGone
from shared.messages import Command, Fact, Role
from shared.ports import Batch, DeadLetter, Delivery, LostClaim, QueueDepth, StreamEvent
from shared.queue import keys, scripts
from shared.queue.link import RedisLink, Script, Word
from shared.queue.stream import FactStream
from shared.queue.wire import (
    claims_of,
    command_from,
    conditions_of,
    currency_of,
    fact_to,
    letter_to,
    list_of_won,
    open_ended,
    time_left,
)

_BLOCK_S = 2.0
"""One BLMOVE waits so long at most; the answer is then due within a second."""
_SHORTEST_BLOCK_S = 0.01
"""To Redis a block of 0 means for ever."""

_SUBMIT = Script(scripts.SUBMIT)
_TAKE = Script(scripts.TAKE)
_FINISH = Script(scripts.FINISH)
_ANNOUNCE = Script(scripts.ANNOUNCE)
_GIVE_BACK = Script(scripts.GIVE_BACK)
_HEARTBEAT = Script(scripts.HEARTBEAT)
_RETIRE = Script(scripts.RETIRE)
_RESCUE = Script(scripts.RESCUE)
_DEPTH = Script(scripts.DEPTH)


class RedisQueue:
    """`clock` only dates dead letters; claims, deadlines and heartbeats go by Redis' clock."""

    def __init__(self, url: str, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._link = RedisLink(url)

    async def ping(self) -> None:
        await self._link.ask(("PING",))

    async def close(self) -> None:
        await self._link.close()

    async def submit(self, role: Role, commands: Sequence[Command], *, wait: timedelta) -> list[LostClaim]:
        arguments: list[Word] = [max(1, wait // timedelta(milliseconds=1))]
        for command in commands:
            claims = claims_of(command)
            arguments += [command.id, list_of_won(command), open_ended(command), len(claims), *claims]
        lost = await self._run(_SUBMIT, role, arguments)
        if lost is None:
            raise WorkerGone
        return [
            LostClaim(currency_of(claim.decode()), holder.decode(), timedelta(milliseconds=milliseconds))
            for claim, holder, milliseconds in zip(lost[::3], lost[1::3], lost[2::3], strict=True)
        ]

    async def take(self, role: Role, worker: str, *, block: timedelta | None) -> Batch:
        batch = _batch(await self._run(_TAKE, role, [worker]))
        if block is None:
            return batch
        loop = asyncio.get_running_loop()
        until = loop.time() + block.total_seconds()
        while not batch.deliveries and (left := until - loop.time()) > 0:
            batch = await self._wait_for_one(role, worker, max(_SHORTEST_BLOCK_S, min(_BLOCK_S, left)))
        return batch

    async def _wait_for_one(self, role: Role, worker: str, seconds: float) -> Batch:
        """BLMOVE with the take script right behind it, so that the rest of the burst costs no second round trip."""
        blmove = ("BLMOVE", keys.commands(role), keys.processing(role, worker), "LEFT", "RIGHT", seconds)
        async with self._link.answers(seconds + 1), self._link.session() as redis:
            answer = await redis.run(_TAKE, keys.of_role(role), [*_names(role), worker], after=[blmove])
        return replace(_batch(answer), was_waited_for=True)

    async def finish(
        self,
        role: Role,
        worker: str,
        *,
        facts: Sequence[Fact] = (),
        done: Sequence[Delivery] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        conditions = conditions_of(facts, (*done, *(letter.delivery for letter in dead)))
        arguments: list[Word] = [worker, len(facts)]
        for fact, condition in zip(facts, conditions, strict=True):
            arguments += [condition or "", fact_to(fact)]
        for delivery in done:
            arguments += _ended(delivery, b"")
        for letter in dead:
            arguments += _ended(letter.delivery, letter_to(letter, at=self._clock()))
        await self._run(_FINISH, role, arguments)

    async def give_back(self, role: Role, worker: str, deliveries: Sequence[Delivery]) -> None:
        await self._run(_GIVE_BACK, role, [worker, *(delivery.payload for delivery in deliveries)])

    async def announce(self, facts: Sequence[Fact]) -> None:
        await self._run(_ANNOUNCE, Role.PRICING, list(map(fact_to, facts)))

    async def heartbeat(self, role: Role, worker: str) -> None:
        await self._run(_HEARTBEAT, role, [worker])

    async def retire(self, role: Role, worker: str) -> None:
        await self._run(_RETIRE, role, [worker])

    async def rescue(self, role: Role) -> int:
        return int(await self._run(_RESCUE, role, []))

    async def depth(self, role: Role) -> QueueDepth:
        return QueueDepth(*await self._run(_DEPTH, role, []))

    def events(self) -> AsyncGenerator[StreamEvent]:
        return FactStream(self._link).events()

    async def _run(self, script: Script, role: Role, arguments: Sequence[Word]) -> Any:  # noqa: ANN401 - as many types as scripts answer
        return await self._link.run(script, keys.of_role(role), [*_names(role), *arguments])


def _names(role: Role) -> tuple[str, str]:
    """ARGV[1] and ARGV[2] of every script: how the names that it derives begin."""
    return keys.processing(role), keys.CLAIM


def _batch(answer: Any) -> Batch:  # noqa: ANN401 - what the take script answers
    now_ms, others, payloads, returns = answer
    now = time_from_micros(now_ms * 1000)
    deliveries = [_delivery(*one, now) for one in zip(payloads, returns, strict=True)]
    return Batch(tuple(deliveries), others_at_work=bool(others))


def _delivery(payload: bytes, came_back: int, now: datetime) -> Delivery:
    command = command_from(payload)
    return Delivery(payload, command, attempt=came_back + 1, time_left=time_left(command, now=now))


def _ended(delivery: Delivery, letter: bytes) -> list[Word]:
    """The end of one delivery, as the finish script reads it."""
    if delivery.command is None:
        return [delivery.payload, "", letter, 0]
    claims = claims_of(delivery.command)
    return [delivery.payload, delivery.command.id, letter, len(claims), *claims]

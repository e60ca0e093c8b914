"""Fresh rates on demand, by commands to the pricing workers. How waiters share a visit: `api.flights`."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import uuid4

from api.errors import problem_of
from api.flight import Outcome
from api.flights import Flights
from api.memory import RateMemory
from api.metrics import RefreshMetrics
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.domain.visit import Failure
from shared.messages import Command, RefreshRates, Role
from shared.ports import LostClaim, Queue


class Refresher(Flights[int, Rate]):
    """Asks workers for fresh rates and waits for them; keys are currency ids."""

    role = Role.PRICING

    def __init__(
        self,
        *,
        queue: Queue,
        memory: RateMemory,
        clock: Clock,
        timeout: float,
        metrics: RefreshMetrics,
    ) -> None:
        super().__init__(queue=queue, clock=clock, timeout=timeout)
        self._memory = memory
        self._metrics = metrics

    async def refresh(
        self, currency_ids: Collection[int], *, request_id: str, deadline: float | None = None
    ) -> dict[int, Outcome]:
        """What clients ask for, by one command: each with a rate, fetched not before now or by the visit under way that it
        joined, or with an UpstreamError (visited and failed), NotTried, StorageUnavailable or DeadlineExceeded. Each is
        counted; what nobody asked for takes `fly`."""
        asked = asyncio.get_running_loop().time()
        outcomes = await self.fly(currency_ids, request_id=request_id, deadline=deadline)
        seconds = asyncio.get_running_loop().time() - asked
        for outcome in outcomes.values():
            name = "fresh" if isinstance(outcome, Rate) else problem_of(type(outcome)).slug
            self._metrics.count(name, seconds)
        return outcomes

    def settle(self, rates: Iterable[Rate], command_ids: Collection[str] = ()) -> None:
        """Ends the flights for which one of these is fresh."""
        if self._flights:
            self._settle(((rate.currency_id, rate) for rate in rates), command_ids)

    def _command(self, keys: Collection[int], request_id: str, traceparent: str) -> Command:
        return RefreshRates(
            id=uuid4().hex,
            currency_ids=tuple(keys),
            created_at=self._clock(),
            request_id=request_id,
            traceparent=traceparent,
        )

    def _keys_of(self, command: Command) -> Collection[int]:
        return command.currency_ids if isinstance(command, RefreshRates) else ()

    def _claimed(self, claim: LostClaim, _commands: Sequence[Command]) -> int | None:
        return claim.currency_id

    def _failed(self, failure: Failure, _command_id: str) -> Collection[int]:
        return () if failure.currency_id is None else (failure.currency_id,)

    def _moment(self, thing: Rate) -> datetime:
        return thing.fetched_at

    def _best(self, things: Sequence[Rate]) -> Rate:
        return min(things, key=self._memory.preference)

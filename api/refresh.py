"""Fresh rates on demand, by commands to the pricing workers. How waiters share a visit: `api.flights`."""

import asyncio
import copy
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
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
        min_interval: float,
        metrics: RefreshMetrics,
    ) -> None:
        super().__init__(queue=queue, clock=clock, timeout=timeout)
        self._memory = memory
        self._min_interval = timedelta(seconds=min_interval)
        self._metrics = metrics

    async def refresh(self, currency_id: int, *, request_id: str) -> Rate:
        """A rate of this currency, fetched not before now, or by the visit under way that it joined.

        Raises UpstreamError (visited and failed), NotTried, StorageUnavailable or DeadlineExceeded.
        """
        asked = asyncio.get_running_loop().time()
        outcome = (await self.refresh_all([currency_id], request_id=request_id))[currency_id]
        name = "fresh" if isinstance(outcome, Rate) else problem_of(type(outcome)).slug
        self._metrics.count(name, asyncio.get_running_loop().time() - asked)
        if isinstance(outcome, Rate):
            return outcome
        raise copy.copy(outcome)

    async def refresh_all(
        self, currency_ids: Collection[int], *, request_id: str, at_any_age: bool = False
    ) -> dict[int, Outcome]:
        """The same for several at once, by one command; each with an outcome of its own. Not counted: no client asked
        for these one by one. `at_any_age`: sources are asked even for what is fresh enough for a client, because whoever
        asks keeps to an age of its own."""
        known = ((one, None if at_any_age else self._fresh_enough(one)) for one in currency_ids)
        outcomes: dict[int, Outcome] = {one: rate for one, rate in known if rate is not None}
        wanted = [one for one in currency_ids if one not in outcomes]
        return outcomes | await self.fly(wanted, request_id=request_id)

    def settle(self, rates: Iterable[Rate], command_ids: Collection[str] = ()) -> None:
        """Ends the flights for which one of these is fresh."""
        if self._flights:
            self._settle(((rate.currency_id, rate) for rate in rates), command_ids)

    def _fresh_enough(self, currency_id: int) -> Rate | None:
        if not self._min_interval:
            return None
        return self._memory.fetched_since(currency_id, self._clock() - self._min_interval)

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

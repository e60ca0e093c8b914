"""Fresh rankings on demand, by commands to the ranking workers. How waiters share a visit: `api.flights`."""

import copy
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import uuid4

from api.flight import Flight
from api.flights import Flights
from shared.domain.ranking import Ranking
from shared.domain.visit import Failure
from shared.errors import FreshrateError
from shared.messages import Command, RefreshRanking, Role
from shared.ports import LostClaim


class RankingRefresher(Flights[int, Ranking]):
    """Asks workers for a fresh ranking and waits for it; keys are lengths."""

    role = Role.RANKING
    most_per_submit = 1
    """A lost claim does not say of which length it is, so one submit asks for one."""

    async def refresh(self, length: int, *, request_id: str) -> Ranking | FreshrateError:
        """A ranking of so many places, fetched not before now, or by the visit under way that it joined; else the
        reason why there is none."""
        outcome = (await self.fly([length], request_id=request_id))[length]
        return copy.copy(outcome) if isinstance(outcome, FreshrateError) else outcome

    def settle(self, ranking: Ranking, command_ids: Collection[str] = ()) -> None:
        """Ends the flights for which this one is fresh."""
        self._settle([(length, ranking) for length in self._flights], command_ids)

    def _command(self, keys: Collection[int], request_id: str, traceparent: str) -> Command:
        (length,) = keys
        return RefreshRanking(
            id=uuid4().hex,
            length=length,
            created_at=self._clock(),
            request_id=request_id,
            traceparent=traceparent,
        )

    def _per_command(self, flights: list[Flight[int, Ranking]]) -> Iterable[list[Flight[int, Ranking]]]:
        return ([flight] for flight in flights)

    def _keys_of(self, command: Command) -> Collection[int]:
        return (command.length,) if isinstance(command, RefreshRanking) else ()

    def _claimed(self, claim: LostClaim, commands: Sequence[Command]) -> int | None:
        (command,) = commands
        return command.length if claim.currency_id is None and isinstance(command, RefreshRanking) else None

    def _failed(self, failure: Failure, command_id: str) -> Collection[int]:
        if failure.currency_id is not None:
            return ()
        return [flight.key for flight in self._flights.values() if flight.command_id == command_id]

    def _moment(self, thing: Ranking) -> datetime:
        return thing.observed_at

    def _best(self, things: Sequence[Ranking]) -> Ranking:
        return max(things, key=lambda one: (one.observed_at, one.id))

    def _ends(self, flight: Flight[int, Ranking], thing: Ranking, command_ids: Collection[str]) -> bool:
        """A shorter one that came since is no answer, unless it is what came of the very command."""
        if flight.command_id in command_ids:
            return True
        return thing.covers(flight.key) and thing.observed_at >= flight.floor

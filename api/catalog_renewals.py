"""Renewals of the catalog on demand, by commands to the pricing workers. How waiters share one: `api.flights`.

A fact says that the catalog was renewed, but only what is read from the store after it shows what came of that. So facts are
noted, and whoever waits is told once the catalog has been read; or, where it cannot be read now, why not.
"""

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from api.flights import Flights
from shared.domain.times import Clock
from shared.domain.visit import Failure
from shared.errors import DeadlineExceeded, FreshrateError
from shared.messages import Command, RenewCatalog, Role
from shared.ports import LostClaim, Queue

THE_CATALOG: Final = "catalog"
"""The one key."""
LATE: Final = "The catalog was not renewed within the time limit."


@dataclass(frozen=True, slots=True)
class Renewal:
    """One that somebody asked for and that ended well: the source was visited for it, or just before."""

    told_at: datetime
    """By our clock."""
    command_ids: frozenset[str]


class CatalogRenewals(Flights[str, Renewal]):
    """Asks workers for a renewed catalog and waits until it is in memory."""

    role = Role.CATALOG

    def __init__(self, *, queue: Queue, clock: Clock, timeout: float) -> None:
        super().__init__(queue=queue, clock=clock, timeout=timeout)
        self._unread: list[Renewal] = []
        self.last: Renewal | None = None
        """The last of which this process was told, and what it brought is in memory."""

    async def renew(self, *, request_id: str, deadline: float | None = None) -> FreshrateError | None:
        """Returns when the catalog has been renewed and read again; else gives the reason why it could not be. `deadline`: by
        the loop's clock."""
        outcomes = await self.fly([THE_CATALOG], request_id=request_id, deadline=deadline)
        outcome = outcomes[THE_CATALOG]
        if isinstance(outcome, DeadlineExceeded):
            return DeadlineExceeded(LATE)
        return copy.copy(outcome) if isinstance(outcome, FreshrateError) else None

    # What the river tells

    def note(self, command_ids: Collection[str]) -> None:
        """A renewal for these commands has ended well; the catalog is to be read."""
        self._unread.append(Renewal(self._clock(), frozenset(command_ids)))

    def unread(self) -> list[Renewal]:
        """Those that were noted; a catalog that is read from now on shows what they brought."""
        return self._unread.copy()

    def settle(self, renewals: Sequence[Renewal]) -> None:
        """The catalog has been read. `renewals`: those that were `unread` when that began."""
        del self._unread[: len(renewals)]
        for renewal in renewals:
            self.last = renewal
            self._settle([(THE_CATALOG, renewal)], renewal.command_ids)

    def note_unreadable(self, reason: FreshrateError) -> None:
        """The catalog cannot be read: who waits for nothing but that is told so at once, instead of at the deadline."""
        unread, self._unread = self._unread, []
        flight = self._flights.get(THE_CATALOG)
        if flight is not None and any(self._ends(flight, one, one.command_ids) for one in unread):
            self._end(flight, reason)

    # What `Flights` asks

    def _command(self, _keys: Collection[str], request_id: str, traceparent: str) -> Command:
        return RenewCatalog(
            id=uuid4().hex, created_at=self._clock(), request_id=request_id, traceparent=traceparent
        )

    def _keys_of(self, _command: Command) -> Collection[str]:
        return (THE_CATALOG,)

    def _claimed(self, _claim: LostClaim, _commands: Sequence[Command]) -> str:
        return THE_CATALOG

    def _failed(self, failure: Failure, _command_id: str) -> Collection[str]:
        return () if failure.currency_id is not None else (THE_CATALOG,)

    def _moment(self, thing: Renewal) -> datetime:
        """When it was told of, which serves all who asked before that: their own command would not bring anything else, for
        within a minute the source is visited once at most."""
        return thing.told_at

    def _best(self, things: Sequence[Renewal]) -> Renewal:
        return things[-1]

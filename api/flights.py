"""Refreshes on demand, whatever is refreshed: many ask, one goes.

Waiters of one thing share a flight, registered before anything is sent. Whoever loses the claim waits for the holder's
fact and, when the claim has run out and time is left, submits again, so a dead claim holder strands nobody.

A flight ends with something fetched since it was asked for, with what came of the very command that it depends on, with
an outage of the queue, or at its deadline. Cancelling a waiter ends nothing. How commands are submitted: `api.outbox`;
what ends who is late: `api.deadlines`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Generic

from api.deadlines import REASON_SECONDS, Deadlines
from api.errors import error_of
from api.flight import Flight, Key, Thing
from api.outbox import Outbox
from shared import tracing
from shared.domain.times import Clock
from shared.domain.visit import Failure, FailureKind
from shared.errors import DeadlineExceeded, FreshrateError, QueueUnavailable, WorkerGone
from shared.messages import Command, RefreshFailed, Role
from shared.ports import LostClaim, Queue

WORTH_ANOTHER = 0.05
"""Seconds that must be left to submit again."""
REMEMBERED_FAILURES = 1000
"""Facts may be read from the stream before the submit's answer says that we depend on them."""


class Flights(ABC, Generic[Key, Thing]):
    """What is being refreshed now, by key."""

    role: ClassVar[Role]
    most_per_submit: ClassVar[int] = 1000
    """Commands."""

    def __init__(self, *, queue: Queue, clock: Clock, timeout: float) -> None:
        self._clock = clock
        self.patience = timeout
        """Seconds that a waiter waits at most."""
        self._flights: dict[Key, Flight[Key, Thing]] = {}
        self._again: dict[Key, Flight[Key, Thing]] = {}
        self._outbox = Outbox(
            queue=queue,
            role=self.role,
            most=self.most_per_submit,
            renewed=self._renewed,
            wait=self._wait,
            follow=self._follow_all,
            fail=self._end_of,
        )
        self._deadlines: Deadlines[Key, Thing] = Deadlines(queue=queue, role=self.role, end=self._end)
        self._failures: OrderedDict[str, RefreshFailed] = OrderedDict()
        self._refusal: QueueUnavailable | None = None
        self._is_stopped = False

    # What a kind of thing says of itself

    @abstractmethod
    def _command(self, keys: Collection[Key], request_id: str, traceparent: str) -> Command: ...

    @abstractmethod
    def _keys_of(self, command: Command) -> Collection[Key]: ...

    @abstractmethod
    def _claimed(self, claim: LostClaim, commands: Sequence[Command]) -> Key | None:
        """What was claimed by another, of what these commands ask for."""

    @abstractmethod
    def _failed(self, failure: Failure, command_id: str) -> Collection[Key]:
        """What the failure is about."""

    @abstractmethod
    def _moment(self, thing: Thing) -> datetime:
        """When it was fetched."""

    @abstractmethod
    def _best(self, things: Sequence[Thing]) -> Thing:
        """Of several that end one flight."""

    def _ends(self, flight: Flight[Key, Thing], thing: Thing, command_ids: Collection[str]) -> bool:
        """Fetched since, or by a visit (for these commands) on which it depends: one that was under way, whatever the
        clocks of others say."""
        return flight.command_id in command_ids or self._moment(thing) >= flight.floor

    # What is asked for

    @property
    def is_refusing(self) -> bool:
        """Whether nothing can be asked for now: the stream is out of reach."""
        return self._refusal is not None

    async def fly(
        self, keys: Collection[Key], *, request_id: str, deadline: float | None = None
    ) -> dict[Key, Thing | FreshrateError]:
        """Waits for each of these, by one command for those that nobody flies yet; each has an outcome of its own.
        `deadline`: by the loop's clock; else there are the seconds of `patience`."""
        wanted = list(dict.fromkeys(keys))
        if self._refusal is not None:
            return dict.fromkeys(wanted, self._refusal)
        now = asyncio.get_running_loop().time()
        deadline = now + self.patience if deadline is None else deadline
        if deadline - now < WORTH_ANOTHER:
            return {one: DeadlineExceeded() for one in wanted}
        flights = self._board(wanted, request_id, deadline)
        return {flight.key: await self._ride(flight, request_id, deadline) for flight in flights}

    def _board(self, keys: Collection[Key], request_id: str, deadline: float) -> list[Flight[Key, Thing]]:
        """The flight of each key; those that nobody flies yet are launched by one command."""
        new = [one for one in keys if one not in self._flights]
        if new:
            self._launch(new, request_id, deadline)
        return [self._flights[one] for one in keys]

    async def _ride(
        self, flight: Flight[Key, Thing], request_id: str, deadline: float
    ) -> Thing | FreshrateError:
        """Waits for the flight; whoever joined late and has time left takes another after its deadline."""
        while True:
            outcome = flight.ended.result() if flight.is_over else await self._within(flight, deadline)
            left = deadline - asyncio.get_running_loop().time()
            if not isinstance(outcome, DeadlineExceeded | WorkerGone) or left < WORTH_ANOTHER:
                return outcome
            if flight.time_left > WORTH_ANOTHER or self._refusal is not None:
                return outcome
            (flight,) = self._board([flight.key], request_id, deadline)

    async def _within(self, flight: Flight[Key, Thing], deadline: float) -> Thing | FreshrateError:
        """The outcome; a flight that goes on for longer than this waiter has is left to those who have more time."""
        left = deadline + REASON_SECONDS - asyncio.get_running_loop().time()
        await asyncio.wait([flight.ended], timeout=left)
        return flight.ended.result() if flight.is_over else DeadlineExceeded()

    # What the stream of facts tells

    def _settle(self, news: Iterable[tuple[Key, Thing]], command_ids: Collection[str]) -> None:
        """Ends the flights for which one of these is fresh: news, with the commands that it serves, or what the
        listing of the store shows."""
        found: defaultdict[Key, list[Thing]] = defaultdict(list)
        for key, thing in news:
            flight = self._flights.get(key)
            if flight is None:
                continue
            if self._ends(flight, thing, command_ids):
                found[key].append(thing)
            elif command_ids:
                flight.brought.append((command_ids, thing))
        for key, things in found.items():
            self._end(self._flights[key], self._best(things))

    def fail(self, fact: RefreshFailed) -> None:
        """Ends the flights that depend on this command."""
        self._failures[fact.command_id] = fact
        if len(self._failures) > REMEMBERED_FAILURES:
            self._failures.popitem(last=False)
        for failure in fact.failures:
            for key in self._failed(failure, fact.command_id):
                flight = self._flights.get(key)
                if flight is not None and flight.command_id == fact.command_id:
                    self._end_failed(flight, failure)

    def lose_queue(self, reason: QueueUnavailable) -> None:
        """The stream is out of reach: nobody could hear an answer, so nobody waits for one."""
        self._refusal = reason
        self._outbox.clear()
        self._again.clear()
        for flight in list(self._flights.values()):
            self._end(flight, reason)

    def regain_queue(self) -> None:
        if not self._is_stopped:
            self._refusal = None

    def ask_again(self) -> None:
        """After facts may have been missed, and the listing of the store had none that is fresh."""
        for flight in list(self._flights.values()):
            self._submit(flight)

    def stop(self) -> None:
        """Ends every flight and takes no more, for good."""
        self._is_stopped = True
        self.lose_queue(QueueUnavailable("This process is being stopped. Ask again."))

    async def close(self) -> None:
        self.stop()
        await asyncio.gather(self._outbox.close(), self._deadlines.close())

    # Launching

    def _launch(self, keys: Collection[Key], request_id: str, deadline: float) -> None:
        traceparent = tracing.traceparent()
        command = self._command(keys, request_id, traceparent)
        for key in keys:
            flight: Flight[Key, Thing] = Flight(
                key=key,
                request_id=request_id,
                traceparent=traceparent,
                command_id=command.id,
                floor=command.created_at,
                deadline=deadline,
            )
            self._deadlines.watch(flight)
            self._flights[key] = flight
        self._outbox.post(command)

    def _submit(self, flight: Flight[Key, Thing]) -> None:
        """Asks anew for a flight that is under way."""
        if not flight.is_over and flight.time_left >= WORTH_ANOTHER:
            self._again[flight.key] = flight
            self._outbox.send()

    def _renewed(self) -> Iterable[Command]:
        """One command for all that were asked for by one request and are asked for again."""
        groups: defaultdict[tuple[str, str], list[Flight[Key, Thing]]] = defaultdict(list)
        for flight in self._again.values():
            if not flight.is_over:
                groups[flight.request_id, flight.traceparent].append(flight)
        self._again.clear()
        commands = []
        for (request_id, traceparent), flights in groups.items():
            for some in self._per_command(flights):
                command = self._command([flight.key for flight in some], request_id, traceparent)
                for flight in some:
                    flight.command_id = command.id
                commands.append(command)
        return commands

    def _per_command(self, flights: list[Flight[Key, Thing]]) -> Iterable[list[Flight[Key, Thing]]]:
        """Those that one command can ask for together."""
        yield flights

    def _wait(self, commands: Iterable[Command]) -> timedelta:
        """The longest that anybody waits for one of these."""
        flights = (self._flights.get(one) for command in commands for one in self._keys_of(command))
        seconds = max((flight.time_left for flight in flights if flight), default=0.0)
        return timedelta(seconds=max(seconds, WORTH_ANOTHER))

    def _follow_all(self, lost: Iterable[LostClaim], commands: Sequence[Command]) -> None:
        """Another command visits these already."""
        sent = {command.id for command in commands}
        for claim in lost:
            key = self._claimed(claim, commands)
            flight = None if key is None else self._flights.get(key)
            if flight is not None and flight.command_id in sent:
                self._follow(flight, claim)

    def _follow(self, flight: Flight[Key, Thing], claim: LostClaim) -> None:
        """From now on the flight depends on that command."""
        flight.command_id = claim.holder
        brought = [thing for command_ids, thing in flight.brought if claim.holder in command_ids]
        if brought:
            self._end(flight, self._best(brought))
            return
        failed = self._failures.get(claim.holder)
        for failure in failed.failures if failed else ():
            if flight.key in self._failed(failure, claim.holder):
                self._end_failed(flight, failure)
                return
        expired = claim.expires_in.total_seconds() + 0.005
        flight.timers.append(asyncio.get_running_loop().call_later(expired, self._submit, flight))

    # Ending

    def _end(self, flight: Flight[Key, Thing], outcome: Thing | FreshrateError) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
        flight.end(outcome)

    def _end_of(self, commands: Iterable[Command], outcome: FreshrateError) -> None:
        for command in commands:
            for key in self._keys_of(command):
                flight = self._flights.get(key)
                if flight is not None and flight.command_id == command.id:
                    self._end(flight, outcome)

    def _end_failed(self, flight: Flight[Key, Thing], failure: Failure) -> None:
        """A deadline that was another's, with time left of ours, is no end."""
        if failure.kind is FailureKind.DEADLINE and flight.time_left > WORTH_ANOTHER:
            self._submit(flight)
        else:
            self._end(flight, error_of(failure))

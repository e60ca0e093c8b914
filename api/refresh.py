"""Fresh rates on demand: many ask, one goes.

Waiters of one currency share a flight, registered before anything is sent. The first command goes at once; those that
arrive while it is being submitted form the next submit. Whoever loses the claim waits for the holder's fact and, when
the claim has run out and time is left, submits again, so a dead claim holder strands nobody.

A flight ends with a rate fetched since it was asked for, with the rate or the failure of the very command that it
depends on, with an outage of the queue, or at its deadline. Cancelling a waiter ends nothing.
"""

import asyncio
import copy
from collections import OrderedDict
from collections.abc import Collection, Iterable
from datetime import timedelta
from uuid import uuid4

import structlog

from api.errors import error_of, problem_of
from api.flight import Flight, Outcome
from api.memory import RateMemory
from api.metrics import RefreshMetrics
from shared import tracing
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.domain.visit import Failure, FailureKind
from shared.errors import DeadlineExceeded, QueueUnavailable, WorkerGone
from shared.messages import RefreshFailed, RefreshRates, Role
from shared.ports import LostClaim, Queue

log = structlog.get_logger(__name__)

SUBMIT_SECONDS = 1.5
"""A queue that does not answer within this is down: whoever waits hears it within 2 s."""
DEPTH_SECONDS = 0.2
"""At the deadline: to learn whether a worker is alive, so the answer says what is wrong."""
WORTH_ANOTHER = 0.05
"""Seconds that must be left to submit again."""
REMEMBERED_FAILURES = 1000
"""Facts may be read from the stream before the submit's answer says that we depend on them."""


class Refresher:
    """Asks workers for fresh rates and waits for them."""

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
        self._queue = queue
        self._memory = memory
        self._clock = clock
        self._timeout = timeout
        self._min_interval = timedelta(seconds=min_interval)
        self._metrics = metrics
        self._flights: dict[int, Flight] = {}
        self._outbox: list[RefreshRates] = []
        self._sender: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._failures: OrderedDict[str, RefreshFailed] = OrderedDict()
        self._refusal: QueueUnavailable | None = None
        self._is_stopped = False

    # What routes ask

    async def refresh(self, currency_id: int, *, request_id: str) -> Rate:
        """A rate of this currency, fetched not before now, or by the visit under way that it joined.

        Raises UpstreamError (visited and failed), NotTried, StorageUnavailable or DeadlineExceeded.
        """
        outcome = (await self.refresh_all([currency_id], request_id=request_id))[currency_id]
        if isinstance(outcome, Rate):
            return outcome
        raise copy.copy(outcome)

    async def refresh_all(self, currency_ids: Collection[int], *, request_id: str) -> dict[int, Outcome]:
        """The same for several at once, by one command; each with an outcome of its own."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        outcomes: dict[int, Outcome] = {}
        for currency_id in currency_ids:
            rate = self._fresh_enough(currency_id)
            if rate is not None:
                outcomes[currency_id] = rate
            elif self._refusal is not None:
                outcomes[currency_id] = self._refusal
        wanted = [one for one in dict.fromkeys(currency_ids) if one not in outcomes]
        flights = self._board(wanted, request_id, asked + self._timeout)
        for flight in flights:
            outcomes[flight.currency_id] = await self._ride(flight, request_id, asked + self._timeout)
        for outcome in outcomes.values():
            name = "fresh" if isinstance(outcome, Rate) else problem_of(type(outcome)).slug
            self._metrics.count(name, loop.time() - asked)
        return outcomes

    def _fresh_enough(self, currency_id: int) -> Rate | None:
        if not self._min_interval:
            return None
        return self._memory.fetched_since(currency_id, self._clock() - self._min_interval)

    def _board(self, currency_ids: Collection[int], request_id: str, deadline: float) -> list[Flight]:
        """The flight of each currency; those that nobody flies yet are launched by one command."""
        new = [one for one in currency_ids if one not in self._flights]
        if new:
            self._launch(new, request_id, deadline)
        return [self._flights[one] for one in currency_ids]

    async def _ride(self, flight: Flight, request_id: str, deadline: float) -> Outcome:
        """Waits for the flight; whoever joined late and has time left takes another after its deadline."""
        while True:
            outcome = await asyncio.shield(flight.ended)
            left = deadline - asyncio.get_running_loop().time()
            if not isinstance(outcome, DeadlineExceeded | WorkerGone) or left < WORTH_ANOTHER:
                return outcome
            if flight.time_left > WORTH_ANOTHER or self._refusal is not None:
                return outcome
            (flight,) = self._board([flight.currency_id], request_id, deadline)

    # What the stream of facts tells

    def settle(self, rates: Iterable[Rate], command_ids: Collection[str] = ()) -> None:
        """Ends the flights for which one of these is fresh: news, with the commands that it serves, or what the
        listing of the store shows."""
        if not self._flights:
            return
        found: dict[int, Rate] = {}
        for rate in rates:
            flight = self._flights.get(rate.currency_id)
            if flight is None:
                continue
            if flight.is_ended_by(rate, command_ids):
                best = found.get(rate.currency_id, rate)
                found[rate.currency_id] = min(best, rate, key=self._memory.preference)
            elif command_ids:
                flight.brought.append((command_ids, rate))
        for currency_id, rate in found.items():
            self._end(self._flights[currency_id], rate)

    def fail(self, fact: RefreshFailed) -> None:
        """Ends the flights that depend on this command."""
        self._failures[fact.command_id] = fact
        if len(self._failures) > REMEMBERED_FAILURES:
            self._failures.popitem(last=False)
        for failure in fact.failures:
            flight = self._flights.get(failure.currency_id)
            if flight is not None and flight.command_id == fact.command_id:
                self._end_failed(flight, failure)

    def lose_queue(self, reason: QueueUnavailable) -> None:
        """The stream is out of reach: nobody could hear an answer, so nobody waits for one."""
        self._refusal = reason
        self._outbox.clear()
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
        tasks = [*self._late, *([self._sender] if self._sender else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Launching

    def _launch(self, currency_ids: Collection[int], request_id: str, deadline: float) -> None:
        traceparent = tracing.traceparent()
        command = self._command(currency_ids, request_id, traceparent)
        for currency_id in currency_ids:
            flight = Flight(
                currency_id=currency_id,
                request_id=request_id,
                traceparent=traceparent,
                command_id=command.id,
                floor=command.created_at,
                deadline=deadline,
            )
            flight.timers.append(asyncio.get_running_loop().call_at(deadline, self._expire, flight))
            self._flights[currency_id] = flight
        self._post(command)

    def _submit(self, flight: Flight) -> None:
        """Sends a command of its own for a flight that is under way."""
        if flight.is_over or flight.time_left < WORTH_ANOTHER:
            return
        command = self._command([flight.currency_id], flight.request_id, flight.traceparent)
        flight.command_id = command.id
        self._post(command)

    def _command(self, currency_ids: Collection[int], request_id: str, traceparent: str) -> RefreshRates:
        return RefreshRates(
            id=uuid4().hex,
            currency_ids=tuple(currency_ids),
            created_at=self._clock(),
            request_id=request_id,
            traceparent=traceparent,
        )

    def _post(self, command: RefreshRates) -> None:
        self._outbox.append(command)
        if self._sender is None:
            self._sender = asyncio.create_task(self._send(), name="refresh sender")

    async def _send(self) -> None:
        """Submits until nothing waits. A queue that is down fails those that came meanwhile too."""
        try:
            while self._outbox:
                commands, self._outbox = self._outbox, []
                try:
                    async with asyncio.timeout(SUBMIT_SECONDS):
                        lost = await self._queue.submit(Role.PRICING, commands, wait=self._wait(commands))
                except WorkerGone as error:
                    self._end_of(commands, error)
                except (QueueUnavailable, TimeoutError) as error:
                    waiting, self._outbox = self._outbox, []
                    self._end_of([*commands, *waiting], QueueUnavailable())
                    log.warning("refresh not submitted", error=str(error) or "no answer in time")
                except Exception:  # a defect there must leave nobody waiting
                    self._end_of(commands, QueueUnavailable())
                    log.exception("refresh not submitted")
                else:
                    sent = {command.id for command in commands}
                    for claim in lost:
                        self._follow(claim, sent)
        finally:
            self._sender = None

    def _wait(self, commands: Iterable[RefreshRates]) -> timedelta:
        """The longest that anybody waits for one of these."""
        flights = (self._flights.get(one) for command in commands for one in command.currency_ids)
        seconds = max((flight.time_left for flight in flights if flight), default=0.0)
        return timedelta(seconds=max(seconds, WORTH_ANOTHER))

    def _follow(self, claim: LostClaim, sent: Collection[str]) -> None:
        """Another command visits already: from now on the flight depends on that one."""
        flight = self._flights.get(claim.currency_id)
        if flight is None or flight.command_id not in sent:
            return
        flight.command_id = claim.holder
        brought = [rate for command_ids, rate in flight.brought if flight.is_ended_by(rate, command_ids)]
        if brought:
            self._end(flight, min(brought, key=self._memory.preference))
            return
        failed = self._failures.get(claim.holder)
        for failure in failed.failures if failed else ():
            if failure.currency_id == claim.currency_id:
                self._end_failed(flight, failure)
                return
        expired = claim.expires_in.total_seconds() + 0.005
        flight.timers.append(asyncio.get_running_loop().call_later(expired, self._submit, flight))

    # Ending

    def _end(self, flight: Flight, outcome: Outcome) -> None:
        if self._flights.get(flight.currency_id) is flight:
            del self._flights[flight.currency_id]
        flight.end(outcome)

    def _end_of(self, commands: Iterable[RefreshRates], outcome: Outcome) -> None:
        for command in commands:
            for currency_id in command.currency_ids:
                flight = self._flights.get(currency_id)
                if flight is not None and flight.command_id == command.id:
                    self._end(flight, outcome)

    def _end_failed(self, flight: Flight, failure: Failure) -> None:
        """A deadline that was another's, with time left of ours, is no end."""
        if failure.kind is FailureKind.DEADLINE and flight.time_left > WORTH_ANOTHER:
            self._submit(flight)
        else:
            self._end(flight, error_of(failure))

    def _expire(self, flight: Flight) -> None:
        task = asyncio.create_task(self._end_late(flight), name="refresh deadline")
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _end_late(self, flight: Flight) -> None:
        outcome: Outcome = DeadlineExceeded()
        try:
            async with asyncio.timeout(DEPTH_SECONDS):
                depth = await self._queue.depth(Role.PRICING)
            if depth.workers == 0:
                outcome = WorkerGone()
        except QueueUnavailable as error:
            outcome = error
        except TimeoutError:
            log.warning("queue depth not known in time")
        finally:
            self._end(flight, outcome)

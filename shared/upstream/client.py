"""The one upstream client: every call to a source is reserved, made, read and settled here.

Reserved first: what the shared allowance refuses is not sent. Settled afterwards: a good answer closes the breaker and
corrects the credits; a failure in transport, a server error or nonsense counts towards opening it; "too many" and
"not with this account" block the source for all processes. Failed calls cost nothing, so their credits come back.
Calls that no rate depends on settle their credits alone: an endpoint that is closed to us must not close the others. They
are no probes either, and only "too many", which is said of the whole account, blocks the source.

Tried again, with jitter, is only what may be different in a moment: out of reach or a server error. The loop is our own
because each attempt reserves anew, and a refusal by the allowance between two attempts must not hide why the first
failed. Logged are source, what, status and duration: never parameters or headers, which may hold a key.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import structlog
from prometheus_client import CollectorRegistry

from shared import tracing
from shared.domain.allowance import Allowance
from shared.domain.times import Clock
from shared.errors import (
    BreakerOpen,
    DeadlineExceeded,
    FreshrateError,
    NotTried,
    StorageUnavailable,
    UpstreamBroken,
    UpstreamError,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamUnreachable,
)
from shared.ports import Call, Parsed, Source, UpstreamAnswer
from shared.upstream.gate import Gate
from shared.upstream.meters import Meters
from shared.upstream.retry_after import blocked_until
from shared.upstream.shared_allowance import AllowanceKeeper, SharedAllowance
from shared.upstream.transport import Transport

log = structlog.get_logger(__name__)
T = TypeVar("T")

LONGEST_CALL = timedelta(seconds=10)
NEWS_WITHIN_S = 1.0
"""So late may we learn that another process was told to leave a source without budgets alone; in return visits to it
need no round trip before them."""
_SHORTEST_CALL_S = 0.001
"""0 would mean no limit to aiohttp."""
REFUSED_FOR = timedelta(hours=1)
"""How long a source is left alone that does not accept our account; a restart of the worker asks it again."""
FIRST_PAUSE_S = 0.1
FAIR_CHANCE = timedelta(seconds=2)
"""A source that was given less time than this and did not make it has not failed."""
LARGE_BODY_BYTES = 256 * 1024
"""Larger answers are read in a thread: 5000 coins take 80 ms, in which the loop then stands still for 10 at most."""

_OUTCOMES: dict[type[UpstreamError], str] = {
    UpstreamUnreachable: "unreachable",
    UpstreamBroken: "broken",
    UpstreamMalformed: "malformed",
    UpstreamRejected: "rejected",
    UpstreamRefused: "refused",
    UpstreamLimited: "limited",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Generic[T]):
    """What a source answered."""

    value: T
    credits: int
    """What the source says that it cost; where it says nothing, what it should cost."""
    started_at: datetime
    """When it was first asked for."""
    answered_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A reserved call."""

    source: Source
    call: Call[Any]
    allowance: SharedAllowance
    reserved_at: datetime
    seconds: float
    """How long it may take."""
    is_vital: bool


class Upstream:
    """The client. An async context manager: its connections live as long as the context."""

    def __init__(self, keeper: AllowanceKeeper, *, clock: Clock, registry: CollectorRegistry) -> None:
        self._keeper = keeper
        self._clock = clock
        self._meters = Meters(registry)
        self._transport = Transport()
        self._allowances: dict[str, SharedAllowance] = {}
        self._gates: dict[str, Gate] = {}

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def ask(
        self,
        source: Source,
        call: Call[T],
        *,
        time_left: timedelta,
        attempts: int,
        per_second: int = 0,
        is_vital: bool = True,
    ) -> Reply[T]:
        """Raises UpstreamError where the source was visited and failed; NotTried (SourceBlocked, BreakerOpen,
        BudgetSpent), DeadlineExceeded or StorageUnavailable where it was not.

        `per_second`: so many calls that say so, retries among them, reach the source within a second; the others wait for
        their turn. 0 = as many as come.

        `is_vital`: whether rates, or what they need, depend on calls like this one. The others say nothing of the source's
        health, as the top of this file says, and are refused until the breaker is closed.
        """
        loop = asyncio.get_running_loop()
        started_at = self._clock()
        deadline = loop.time() + time_left.total_seconds()
        failure: UpstreamError | None = None
        for number in range(1, attempts + 1):
            pause = _pause(number - 1)
            if loop.time() + pause >= deadline:
                break
            if pause:
                await asyncio.sleep(pause)
            try:
                async with self._turn(source, per_second, deadline):
                    parsed = await self._attempt(source, call, deadline, is_vital=is_vital)
            except (UpstreamUnreachable, UpstreamBroken) as error:
                failure = error
            except (NotTried, StorageUnavailable, DeadlineExceeded) as refusal:
                if failure is None:
                    raise
                raise failure from refusal
            else:
                return Reply(
                    value=parsed.value,
                    credits=call.credits if parsed.credits is None else parsed.credits,
                    started_at=started_at,
                    answered_at=self._clock(),
                    attempts=number,
                )
        raise failure or DeadlineExceeded

    async def forgive(self, source: Source) -> None:
        """Forgets that the source is blocked: whoever restarts a worker has perhaps mended why."""
        await self._allowance(source).change(Allowance.unblocked)

    async def poll_interval(self, source: Source, credits: int) -> timedelta:
        """The shortest interval between polls of `credits` with which the source's month lasts."""
        allowance = await self._allowance(source).read()
        return allowance.poll_interval(
            now=self._clock(), credits=credits, credits_per_month=source.credits_per_month
        )

    async def require(self, source: Source, *, calls: int, credits: int, is_vital: bool = True) -> Allowance:
        """Raises NotTried where so many calls, of so many credits together, cannot all be made now: nothing is reserved
        for them. Else gives what the source may still be asked. `is_vital`: as for `ask`."""
        allowance = await self._allowance(source).read()
        _leave_the_probe_to_others(allowance, is_vital=is_vital)
        allowance.require(
            now=self._clock(),
            calls=calls,
            credits=credits,
            calls_per_minute=source.calls_per_minute,
            credits_per_month=source.credits_per_month,
        )
        return allowance

    async def look_up(self, source: Source) -> None:
        """Reads what the source may still be asked, for `known`. Raises StorageUnavailable."""
        await self._allowance(source).read()

    def known(self, source: Source) -> Allowance | None:
        """What the source may still be asked, as far as this process knows; None where it never asked."""
        return self._allowance(source).seen

    def _turn(self, source: Source, per_second: int, deadline: float) -> AbstractAsyncContextManager[None]:
        if not per_second:
            return nullcontext()
        gate = self._gates.get(source.name)
        if gate is None:
            gate = self._gates[source.name] = Gate(per_second)
        return gate.place(deadline)

    def _allowance(self, source: Source) -> SharedAllowance:
        allowance = self._allowances.get(source.name)
        if allowance is None:
            allowance = self._allowances[source.name] = SharedAllowance(self._keeper, source.name)
        return allowance

    async def _attempt(self, source: Source, call: Call[T], deadline: float, *, is_vital: bool) -> Parsed[T]:
        attempt = await self._reserved(source, call, deadline, is_vital=is_vital)
        began = asyncio.get_running_loop().time()
        answer: UpstreamAnswer | None = None
        try:
            answer = await self._transport.get(source, call, seconds=attempt.seconds)
            tracing.note({"status": answer.status})
            parsed = await _parsed(source, call, answer)
        except UpstreamError as error:
            took = asyncio.get_running_loop().time() - began
            self._meters.count(source.name, _OUTCOMES.get(type(error), "failed"), seconds=took, credits=0)
            await self._settle(attempt, error, answer, took)
            raise
        took = asyncio.get_running_loop().time() - began
        spent = call.credits if parsed.credits is None else parsed.credits
        self._meters.count(source.name, "answered", seconds=took, credits=spent)
        log.debug("source answered", source=source.name, what=call.what, seconds=round(took, 4))
        if is_vital:
            settled = partial(
                Allowance.succeeded, reserved=call.credits, spent=spent, reserved_at=attempt.reserved_at
            )
        else:
            settled = partial(
                Allowance.refunded, credits=call.credits - spent, reserved_at=attempt.reserved_at
            )
        if attempt.allowance.would_change(settled):
            await self._note(attempt, settled)
        return parsed

    async def _reserved(
        self, source: Source, call: Call[Any], deadline: float, *, is_vital: bool
    ) -> _Attempt:
        shared = self._allowance(source)
        reserved_at = self._clock()

        def reserve(allowance: Allowance) -> Allowance:
            _leave_the_probe_to_others(allowance, is_vital=is_vital)
            return allowance.reserve(
                now=reserved_at,
                credits=call.credits,
                calls_per_minute=source.calls_per_minute,
                credits_per_month=source.credits_per_month,
            )

        await shared.change(reserve, trusted_for=NEWS_WITHIN_S)
        left = max(deadline - asyncio.get_running_loop().time(), _SHORTEST_CALL_S)
        seconds = min(left, LONGEST_CALL.total_seconds())
        return _Attempt(source, call, shared, reserved_at, seconds, is_vital)

    async def _settle(
        self, attempt: _Attempt, error: UpstreamError, answer: UpstreamAnswer | None, took: float
    ) -> None:
        """Books a failed call: its credits come back, and the source is blamed, blocked or neither. One that rejects a
        request is in good health."""
        now = self._clock()
        is_telling = attempt.is_vital or isinstance(error, UpstreamLimited)
        until = _blocked_until(error, answer, now) if is_telling else None

        def book(allowance: Allowance) -> Allowance:
            if is_telling and isinstance(error, UpstreamRejected):
                return allowance.succeeded(
                    reserved=attempt.call.credits, spent=0, reserved_at=attempt.reserved_at
                )
            booked = allowance.refunded(credits=attempt.call.credits, reserved_at=attempt.reserved_at)
            if until is not None:
                return booked.blocked(until=until, because=str(error))
            if not is_telling or _had_no_chance(error, attempt.seconds):
                return booked
            return booked.failed(now=now)

        before = await self._note(attempt, book)
        level, event = _told(error, before) if is_telling else ("warning", "source failed")
        getattr(log, level)(
            event,
            source=attempt.source.name,
            what=attempt.call.what,
            status=answer.status if answer else None,
            seconds=round(took, 4),
            error=type(error).__name__,
            detail=str(error),
            cause=type(error.__cause__).__name__ if error.__cause__ else None,
            blocked_until=until,
        )

    async def _note(self, attempt: _Attempt, change: Callable[[Allowance], Allowance]) -> Allowance | None:
        """Settles, and gives the state before. The call is over: that its end cannot be noted must not hide it."""
        try:
            return await attempt.allowance.change(change)
        except FreshrateError as error:
            log.warning("allowance not settled", source=attempt.source.name, error=str(error))
            return None


async def _parsed(source: Source, call: Call[T], answer: UpstreamAnswer) -> Parsed[T]:
    try:
        if len(answer.body) > LARGE_BODY_BYTES:
            return await asyncio.to_thread(call.parse, answer)
        return call.parse(answer)
    except UpstreamError:
        raise
    except Exception as error:
        log.exception("answer not understood", source=source.name, what=call.what)
        raise UpstreamMalformed(f"{source.name} answered with something unforeseen.") from error


def _blocked_until(error: UpstreamError, answer: UpstreamAnswer | None, now: datetime) -> datetime | None:
    if isinstance(error, UpstreamLimited):
        return blocked_until(error, answer.headers.get("retry-after") if answer else None, now=now)
    return now + REFUSED_FOR if isinstance(error, UpstreamRefused) else None


def _told(error: UpstreamError, before: Allowance | None) -> tuple[str, str]:
    """Level and event of the log: the operator is called for once per block, and not because a client asked for a coin
    that the source does not know."""
    if isinstance(error, UpstreamRefused) and not (before and before.blocked_until):
        return "error", "source refuses our account"
    return ("info" if isinstance(error, UpstreamRejected) else "warning"), "source failed"


def _leave_the_probe_to_others(allowance: Allowance, *, is_vital: bool) -> None:
    if not is_vital and allowance.is_on_probation:
        raise BreakerOpen


def _had_no_chance(error: UpstreamError, seconds: float) -> bool:
    return isinstance(error.__cause__, TimeoutError) and seconds < FAIR_CHANCE.total_seconds()


def _pause(failures: int) -> float:
    """Seconds before the next attempt: none, then doubling, and never the same in two processes."""
    if not failures:
        return 0.0
    return FIRST_PAUSE_S * 2.0 ** (failures - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, no secret

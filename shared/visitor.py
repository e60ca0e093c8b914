"""The one job behind a scheduled poll, a command and a direct visit.

Sources are asked in order of preference; what one does not give is asked of the next at once. What arrives is checked,
stored and journaled call by call, so one failed call or one bad id never fails its neighbours. Nothing is announced
here: the caller does that, after the commit, with `facts_of`.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared import tracing
from shared.domain.rate import Rate, RecordedRate, RecordOutcome
from shared.domain.times import Clock
from shared.domain.visit import Failure, FailureKind, Visit, VisitOutcome, VisitReason
from shared.errand import Errand
from shared.errors import (
    DeadlineExceeded,
    FreshrateError,
    RateMissing,
    RetryableError,
    StorageUnavailable,
    UpstreamError,
    UpstreamRejected,
)
from shared.messages import MAX_RATES_PER_FACT, RatesStored
from shared.ports import Call, PriceSource, Quotes, Storage
from shared.upstream import Reply, Upstream
from shared.visit_meters import Phase, VisitMeters

log = structlog.get_logger(__name__)

ATTEMPTS = {VisitReason.POLL: 3, VisitReason.REFRESH: 2, VisitReason.DIRECT: 2}
"""Nobody waits for a poll, so it may try longer; whoever waits is better served by the next source, where there is one."""


@dataclass(frozen=True, slots=True)
class VisitReport:
    """One end per currency that was asked for: a recorded rate or a failure."""

    recorded: tuple[RecordedRate, ...]
    failures: tuple[Failure, ...]
    unanswered: frozenset[int] = frozenset()
    """Those failures for which no source gave an answer at all, good or bad: asking again may help."""


def facts_of(report: VisitReport, command_ids: Sequence[str] = ()) -> list[RatesStored]:
    """The facts to announce, each of at most 500 rates. `command_ids`: the commands that the visit served."""
    facts = []
    for start in range(0, len(report.recorded), MAX_RATES_PER_FACT):
        part = report.recorded[start : start + MAX_RATES_PER_FACT]
        facts.append(
            RatesStored(
                stored=_rates(part, RecordOutcome.STORED),
                confirmed=_rates(part, RecordOutcome.CONFIRMED),
                command_ids=tuple(command_ids),
            )
        )
    return facts


def _rates(recorded: Sequence[RecordedRate], outcome: RecordOutcome) -> tuple[Rate, ...]:
    return tuple(one.rate for one in recorded if one.outcome is outcome)


class Visitor:
    """Visits the sources for rates."""

    def __init__(
        self,
        *,
        sources: Sequence[PriceSource],
        upstream: Upstream,
        storage: Storage,
        clock: Clock,
        meters: VisitMeters,
    ) -> None:
        self._sources = tuple(sources)
        self._upstream = upstream
        self._storage = storage
        self._clock = clock
        self._meters = meters

    async def visit(
        self,
        currency_ids: Collection[int],
        *,
        reason: VisitReason,
        asked_at: datetime,
        time_left: timedelta,
        ranks: Mapping[int, int] | None = None,
        known: Collection[int] = (),
    ) -> VisitReport:
        """Fetches and stores the rates of these currencies, which must be in the catalog.

        `asked_at`: no rate of this visit says that it was fetched before. `ranks`: where known, lets a long list be
        fetched as a listing. `known`: currencies that may be stored too where a listing brings them. Storage that is
        down is an end of every currency like any other: nothing is raised but for defects.
        """
        errand = Errand(
            wanted=set(currency_ids),
            known=known,
            reason=reason,
            asked_at=asked_at,
            ranks=ranks or {},
            deadline=asyncio.get_running_loop().time() + time_left.total_seconds(),
        )
        for place, source in enumerate(self._sources):
            if not errand.wanted or not errand.time_left():
                break
            await self._ask_source(source, errand, sources_left=len(self._sources) - place)
        return VisitReport(
            recorded=tuple(errand.recorded),
            failures=tuple(_failure(one, errand.errors.get(one)) for one in sorted(errand.wanted)),
            unanswered=frozenset(errand.wanted - errand.answered),
        )

    async def _ask_source(self, source: PriceSource, errand: Errand, *, sources_left: int) -> None:
        rejected = await self._make_calls(source, errand.wanted, errand, sources_left)
        if rejected:
            errand.answer(rejected, RateMissing(f"{source.name} does not know this currency."))
            await self._make_calls(source, errand.wanted - rejected, errand, sources_left)

    async def _make_calls(
        self, source: PriceSource, currency_ids: Collection[int], errand: Errand, sources_left: int
    ) -> set[int]:
        """Side by side. Gives the ids that the source rejected."""
        attempts = (
            1 if errand.reason is not VisitReason.POLL and sources_left > 1 else ATTEMPTS[errand.reason]
        )
        time_left = errand.time_for_one_of(sources_left)
        made = [
            self._make_call(source, call, errand, time_left=time_left, attempts=attempts)
            for call in source.plan(sorted(currency_ids), errand.ranks)
        ]
        # A refresh is one call, and a task for it would cost as much as reading its answer.
        return await made[0] if len(made) == 1 else set().union(*await asyncio.gather(*made))

    async def _make_call(
        self, source: PriceSource, call: Call[Quotes], errand: Errand, *, time_left: timedelta, attempts: int
    ) -> set[int]:
        """Gives the ids that the source rejected, with which the whole call failed."""
        started_at = self._clock()
        try:
            reply = await self._ask(source, call, errand.reason, time_left=time_left, attempts=attempts)
            await self._store(source, call, reply, errand)
        except FreshrateError as error:
            errand.note(errand.wanted.intersection(call.currency_ids), error)
            await self._journal_failure(source, call, errand.reason, started_at, error)
            if isinstance(error, UpstreamRejected):
                return {int(one) for one in error.rejected if one.isdecimal()} & errand.wanted
        return set()

    async def _ask(
        self,
        source: PriceSource,
        call: Call[Quotes],
        reason: VisitReason,
        *,
        time_left: timedelta,
        attempts: int,
    ) -> Reply[Quotes]:
        with tracing.span(
            "visit",
            kind=tracing.Kind.CLIENT,
            attributes={"source": source.name, "what": call.what, "reason": reason.value},
            observe=self._observe(Phase.VISIT, reason),
        ) as span:
            reply = await self._upstream.ask(source, call, time_left=time_left, attempts=attempts)
            span.note({"credits": reply.credits, "attempts": reply.attempts})
        return reply

    def _observe(self, phase: Phase, reason: VisitReason) -> tracing.Observe | None:
        return self._meters.phase(phase) if reason is VisitReason.REFRESH else None

    async def _store(
        self, source: PriceSource, call: Call[Quotes], reply: Reply[Quotes], errand: Errand
    ) -> None:
        observations = []
        refused = {
            currency_id: f"{source.name}'s rate cannot be used: {reason}."
            for currency_id, reason in reply.value.refused.items()
        }
        for observation in reply.value.observations:
            if observation.currency_id not in errand.wanted and observation.currency_id not in errand.known:
                continue
            refusal = observation.refusal(now=reply.answered_at, oldest=source.oldest_observation)
            if refusal:
                log.warning(
                    "rate refused", source=source.name, currency=observation.currency_id, reason=refusal
                )
                refused[observation.currency_id] = f"{source.name}'s rate is {refusal}."
            else:
                observations.append(observation)
        arrived = {observation.currency_id for observation in observations}
        missing = errand.wanted.intersection(call.currency_ids) - arrived
        outcome = VisitOutcome.PARTIAL if missing else VisitOutcome.DONE
        with tracing.span(
            "store",
            attributes={"rates": len(observations)},
            observe=self._observe(Phase.STORE, errand.reason),
        ):
            recorded = await self._storage.record_rates(
                observations,
                fetched_at=max(reply.answered_at, errand.asked_at),
                stored_at=self._clock(),
                visit=Visit(
                    source=source.name,
                    reason=errand.reason,
                    what=call.what,
                    started_at=reply.started_at,
                    duration=reply.answered_at - reply.started_at,
                    outcome=outcome,
                    credits=reply.credits,
                    rates_stored=0,
                ),
            )
        stored = sum(1 for one in recorded if one.outcome is RecordOutcome.STORED)
        self._meters.count(source.name, errand.reason, outcome, stored=stored)
        errand.recorded.extend(recorded)
        errand.wanted -= arrived
        for currency_id in missing:
            why = refused.get(currency_id, f"{source.name} gave no rate of this currency.")
            errand.answer([currency_id], RateMissing(why))

    async def _journal_failure(
        self,
        source: PriceSource,
        call: Call[Quotes],
        reason: VisitReason,
        started_at: datetime,
        error: FreshrateError,
    ) -> None:
        visit = Visit(
            source=source.name,
            reason=reason,
            what=call.what,
            started_at=started_at,
            duration=self._clock() - started_at,
            outcome=VisitOutcome.FAILED if isinstance(error, UpstreamError) else VisitOutcome.NOT_TRIED,
            credits=0,
            rates_stored=0,
            error=f"{type(error).__name__}: {error}",
        )
        self._meters.count(source.name, reason, visit.outcome)
        try:
            await self._storage.record_visit(visit)
        except FreshrateError as journal_error:
            log.warning("visit not journaled", source=source.name, error=str(journal_error))


def _kind_of(error: FreshrateError) -> FailureKind:
    if isinstance(error, UpstreamError):
        return FailureKind.VISITED
    return FailureKind.DATABASE_AWAY if isinstance(error, StorageUnavailable) else FailureKind.NOT_TRIED


def _failure(currency_id: int, error: FreshrateError | None) -> Failure:
    if error is None or isinstance(error, DeadlineExceeded):
        return Failure(
            currency_id=currency_id,
            kind=FailureKind.DEADLINE,
            detail="The time was up before a source answered.",
        )
    return Failure(
        currency_id=currency_id,
        kind=_kind_of(error),
        detail=str(error),
        retry_after=error.retry_after if isinstance(error, RetryableError) else None,
    )

"""What every visit to a source leaves behind: its line in the journal, its figures, its spans, and what it brought."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog

from shared import tracing
from shared.domain.rate import Observation, RecordedRate, RecordOutcome
from shared.domain.times import Clock
from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.errors import FreshrateError, UpstreamError
from shared.ports import Source, Storage
from shared.visit_meters import Phase, VisitMeters

log = structlog.get_logger(__name__)

MOST_TOLD = 5
"""Currencies that the log names for one reason."""


def told(reasons: Iterable[tuple[int | None, str]]) -> list[str]:
    """One line for each reason, of currencies that have it: a source that is down fails a whole list for one."""
    by_reason: dict[str, list[str]] = {}
    for currency_id, reason in reasons:
        by_reason.setdefault(reason, []).append(str(currency_id))
    return [
        f"{', '.join(ids[:MOST_TOLD])}{f' and {len(ids) - MOST_TOLD} more' if len(ids) > MOST_TOLD else ''}: {reason}"
        for reason, ids in by_reason.items()
    ]


def believable(
    observations: Iterable[Observation], source: Source, *, now: datetime
) -> tuple[list[Observation], dict[int, str]]:
    """Those that may be stored, and why of these currencies none may."""
    believed, refusals = [], {}
    for observation in observations:
        refusal = observation.refusal(now=now, oldest=source.oldest_observation)
        if refusal:
            refusals[observation.currency_id] = refusal
        else:
            believed.append(observation)
    if refusals:
        # Without its time a refusal is the same for all.
        reasons = told((one, refusal.partition(": ")[0]) for one, refusal in refusals.items())
        log.warning("rates refused", source=source.name, rates=len(refusals), reasons=reasons)
    return believed, {one: f"{source.name}'s rate is {refusal}." for one, refusal in refusals.items()}


class VisitJournal:
    """The journal and the meters of one process."""

    def __init__(self, *, storage: Storage, clock: Clock, meters: VisitMeters) -> None:
        self._storage = storage
        self._clock = clock
        self._meters = meters

    def asking(self, source: Source, what: str, reason: VisitReason) -> tracing.Span:
        """Around the calls of a visit."""
        return tracing.span(
            "visit",
            kind=tracing.Kind.CLIENT,
            attributes={"source": source.name, "what": what, "reason": reason.value},
            observe=self._observe(Phase.VISIT, reason),
        )

    def storing(self, rates: int, reason: VisitReason) -> tracing.Span:
        """Around what a visit stores."""
        return tracing.span("store", attributes={"rates": rates}, observe=self._observe(Phase.STORE, reason))

    def _observe(self, phase: Phase, reason: VisitReason) -> tracing.Observe | None:
        return self._meters.phase(phase) if reason is VisitReason.REFRESH else None

    async def record(
        self, observations: Sequence[Observation], *, fetched_at: datetime, visit: Visit
    ) -> list[RecordedRate]:
        """Stores what a visit brought, with its line in the journal, in one commit."""
        recorded = await self._storage.record_rates(
            observations, fetched_at=fetched_at, stored_at=self._clock(), visit=visit
        )
        stored = sum(1 for one in recorded if one.outcome is RecordOutcome.STORED)
        self._meters.count(visit.source, visit.reason, visit.outcome, stored=stored)
        return recorded

    async def record_failure(
        self,
        source: Source,
        what: str,
        reason: VisitReason,
        *,
        started_at: datetime,
        error: FreshrateError,
        credits: int = 0,
    ) -> None:
        """`credits`: of those calls of the visit that were answered all the same."""
        visit = Visit(
            source=source.name,
            reason=reason,
            what=what,
            started_at=started_at,
            duration=self._clock() - started_at,
            outcome=VisitOutcome.FAILED if isinstance(error, UpstreamError) else VisitOutcome.NOT_TRIED,
            credits=credits,
            rates_stored=0,
            error=f"{type(error).__name__}: {error}",
        )
        self._meters.count(source.name, reason, visit.outcome)
        try:
            await self._storage.record_visit(visit)
        except FreshrateError as journal_error:
            log.warning("visit not journaled", source=source.name, error=str(journal_error))

"""The one job behind a scheduled poll, a command and a direct visit.

Sources are asked in order of preference; what one does not give is asked of the next at once. What arrives is checked,
stored and journaled call by call, so one failed call or one bad id never fails its neighbours. Nothing is announced
here: the caller does that, after the commit, with `facts_of`.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.rate import Rate, RecordedRate, RecordOutcome
from shared.domain.times import Clock
from shared.domain.visit import Failure, Visit, VisitOutcome, VisitReason
from shared.errand import Deadline, Errand, attempts_for
from shared.errors import FreshrateError, RateMissing, UpstreamRejected
from shared.messages import MAX_RATES_PER_FACT, RatesStored
from shared.ports import Call, PriceSource, Quotes, Storage
from shared.upstream import Reply, Upstream
from shared.visit_journal import VisitJournal, believable
from shared.visit_meters import VisitMeters


@dataclass(frozen=True, slots=True)
class VisitReport:
    """One end per currency that was asked for: a recorded rate or a failure."""

    recorded: tuple[RecordedRate, ...]
    failures: tuple[Failure, ...]
    unanswered: frozenset[int] = frozenset()
    """Those failures for which no source gave an answer at all, good or bad: asking again may help."""


def facts_of(report: VisitReport, command_ids: Sequence[str] = ()) -> list[RatesStored]:
    """The facts to announce. `command_ids`: the commands that the visit served."""
    return facts_of_rates(report.recorded, command_ids)


def facts_of_rates(recorded: Sequence[RecordedRate], command_ids: Sequence[str] = ()) -> list[RatesStored]:
    """Facts of at most 500 rates each."""
    facts = []
    for start in range(0, len(recorded), MAX_RATES_PER_FACT):
        part = recorded[start : start + MAX_RATES_PER_FACT]
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
        self._journal = VisitJournal(storage=storage, clock=clock, meters=meters)

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
            deadline=Deadline.within(time_left),
        )
        await self._ask_from(0, currency_ids, errand)
        return VisitReport(
            recorded=tuple(errand.recorded),
            failures=errand.failures(),
            unanswered=errand.unanswered(),
        )

    async def _ask_from(self, place: int, currency_ids: Collection[int], errand: Errand) -> None:
        """Asks the source at this place of the order, and then the next ones for what it did not give. What it does not know
        goes to the next ones at once: nobody waits for a source that cannot help."""
        wanted = errand.wanted.intersection(currency_ids)
        if place == len(self._sources) or not wanted or not errand.deadline.time_left():
            return
        source = self._sources[place]
        try:
            symbols = await self._storage.symbols(source.name, wanted) if source.has_own_ids else {}
        except FreshrateError as error:
            errand.note(wanted, error)
            await self._ask_from(place + 1, wanted, errand)
            return
        calls = source.plan(sorted(wanted), errand.ranks, symbols)
        unknown = wanted.difference(*(call.currency_ids for call in calls))
        errand.pass_over(unknown, _does_not_know(source))
        asking = [self._ask_source(place, calls, symbols, errand)] if calls else []
        if unknown:
            asking.append(self._ask_from(place + 1, unknown, errand))
        await (asking[0] if len(asking) == 1 else asyncio.gather(*asking))

    async def _ask_source(
        self, place: int, calls: Sequence[Call[Quotes]], symbols: Mapping[int, str], errand: Errand
    ) -> None:
        source, sources_left = self._sources[place], len(self._sources) - place
        asked = {one for call in calls for one in call.currency_ids}
        rejected = await self._make_calls(source, calls, errand, sources_left)
        if rejected:
            errand.answer(rejected, _does_not_know(source))
            rest = source.plan(sorted(errand.wanted & asked - rejected), errand.ranks, symbols)
            await self._make_calls(source, rest, errand, sources_left)
        await self._ask_from(place + 1, asked, errand)

    async def _make_calls(
        self, source: PriceSource, calls: Sequence[Call[Quotes]], errand: Errand, sources_left: int
    ) -> set[int]:
        """Side by side. Gives the ids that the source rejected."""
        attempts = attempts_for(errand.reason, sources_left=sources_left)
        time_left = errand.deadline.time_for_one_of(sources_left)
        made = [
            self._make_call(source, call, errand, time_left=time_left, attempts=attempts) for call in calls
        ]
        # A refresh is one call, and a task for it would cost as much as reading its answer.
        return await made[0] if len(made) == 1 else set().union(*await asyncio.gather(*made))

    async def _make_call(
        self, source: PriceSource, call: Call[Quotes], errand: Errand, *, time_left: timedelta, attempts: int
    ) -> set[int]:
        """Gives the ids that the source rejected, with which the whole call failed."""
        started_at = self._clock()
        try:
            with self._journal.asking(source, call.what, errand.reason) as span:
                reply = await self._upstream.ask(source, call, time_left=time_left, attempts=attempts)
                span.note({"credits": reply.credits, "attempts": reply.attempts})
            await self._store(source, call, reply, errand)
        except FreshrateError as error:
            errand.note(errand.wanted.intersection(call.currency_ids), error)
            await self._journal.record_failure(
                source, call.what, errand.reason, started_at=started_at, error=error
            )
            if isinstance(error, UpstreamRejected):
                return {int(one) for one in error.rejected if one.isdecimal()} & errand.wanted
        return set()

    async def _store(
        self, source: PriceSource, call: Call[Quotes], reply: Reply[Quotes], errand: Errand
    ) -> None:
        of_use = (
            one
            for one in reply.value.observations
            if one.currency_id in errand.wanted or one.currency_id in errand.known
        )
        observations, refused = believable(of_use, source, now=reply.answered_at)
        arrived = {observation.currency_id for observation in observations}
        missing = errand.wanted.intersection(call.currency_ids) - arrived
        with self._journal.storing(len(observations), errand.reason):
            recorded = await self._journal.record(
                observations,
                fetched_at=max(reply.answered_at, errand.asked_at),
                visit=Visit(
                    source=source.name,
                    reason=errand.reason,
                    what=call.what,
                    started_at=reply.started_at,
                    duration=reply.answered_at - reply.started_at,
                    outcome=VisitOutcome.PARTIAL if missing else VisitOutcome.DONE,
                    credits=reply.credits,
                    rates_stored=0,
                ),
            )
        errand.recorded.extend(recorded)
        errand.wanted -= arrived
        unusable = {
            one: f"{source.name}'s rate cannot be used: {reason}."
            for one, reason in reply.value.refused.items()
        } | refused
        for one in missing:
            why = unusable.get(one, f"{source.name} gave no rate of this currency.")
            errand.answer([one], RateMissing(why))


def _does_not_know(source: PriceSource) -> RateMissing:
    return RateMissing(f"{source.name} does not know this currency.")

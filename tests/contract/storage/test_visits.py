"""The journal of visits, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.visit import VisitOutcome, VisitReason
from shared.ports import Storage
from tests.contract.storage.samples import NOW, SECOND, visit


@pytest.mark.parametrize("outcome", VisitOutcome)
@pytest.mark.parametrize("reason", VisitReason)
async def test_a_visit_comes_back_as_it_was_recorded(
    storage: Storage, reason: VisitReason, outcome: VisitOutcome
) -> None:
    given = replace(
        visit(error="UpstreamBroken: 500"),
        reason=reason,
        outcome=outcome,
        duration=timedelta(days=1),
        credits=7,
    )
    await storage.record_visit(given)
    assert await storage.visits(limit=1) == [given]


async def test_the_newest_visits_come_first(storage: Storage) -> None:
    for seconds in (1, 3, 2):
        await storage.record_visit(visit(at=NOW + seconds * SECOND))
    newest = await storage.visits(limit=2)
    assert [one.started_at for one in newest] == [NOW + 3 * SECOND, NOW + 2 * SECOND]


async def test_old_visits_are_forgotten_and_counted(storage: Storage) -> None:
    for seconds in (1, 2, 3):
        await storage.record_visit(visit(at=NOW + seconds * SECOND))
    assert await storage.forget_visits(before=NOW + 3 * SECOND) == 2
    assert await storage.forget_visits(before=NOW + 3 * SECOND) == 0
    assert len(await storage.visits(limit=5)) == 1


async def test_what_a_source_said_is_stored_without_what_databases_refuse(storage: Storage) -> None:
    await storage.record_visit(visit(error="said \0 and \ud800"))
    [journaled] = await storage.visits(limit=1)
    assert journaled.error == "said  and ?"

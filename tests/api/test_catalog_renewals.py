"""Renewals of the catalog: one over all processes, heard of only when the catalog was read, and nobody is stranded."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from shared.domain.visit import Failure, FailureKind
from shared.errors import (
    DeadlineExceeded,
    FreshrateError,
    NotTried,
    QueueUnavailable,
    StorageUnavailable,
    UpstreamError,
    WorkerGone,
)
from shared.messages import CatalogStored, RefreshFailed, RenewCatalog, Role
from shared.ports import Gap, Outage
from tests.api.conftest import StartRig
from tests.api.flights import asking, submits
from tests.api.renewals import depends_on, renewal_of_another, renewing, seek
from tests.api.rig import Rig, coin, until


async def test_two_processes_renew_once(start: StartRig) -> None:
    first, second = await start(), await start()
    first.worker.newcomers = second.worker.newcomers = (coin(42, "NEW", 1),)
    both = (first, second)
    for rig in both:
        rig.worker.renewal_hold.clear()
    asking = [asyncio.create_task(seek(rig, "NEW", f"X{number}")) for rig in both for number in range(5)]
    await until(lambda: first.worker.renewals or second.worker.renewals)
    # Both rigs' workers go by one name, so both may see the one command.
    (own,) = {one.id for rig in both for one in rig.worker.renewals}
    for rig in both:
        await depends_on(rig, own)
        rig.worker.renewal_hold.set()
    assert await asyncio.gather(*asking) == [None] * 10
    assert {one.id for rig in both for one in rig.worker.renewals} == {own}
    assert first.api.catalog.base("NEW")
    assert second.api.catalog.base("NEW")


async def test_who_loses_the_claim_is_answered_by_the_holders_renewal(rig: Rig) -> None:
    await renewal_of_another(rig)
    waiting = renewing(rig)
    await depends_on(rig, "other")
    rig.worker.newcomers = (coin(42, "NEW", 1),)
    rig.worker.renewal_hold.set()
    assert await waiting is None
    assert rig.api.catalog.get(42)
    assert [one.id for one in rig.worker.renewals] == ["other"]


async def test_the_holders_failure_is_ours(rig: Rig) -> None:
    rig.worker.renewal_failure = FailureKind.VISITED
    await renewal_of_another(rig)
    waiting = renewing(rig)
    await depends_on(rig, "other")
    rig.worker.renewal_hold.set()
    error = await waiting
    assert isinstance(error, UpstreamError)
    assert str(error) == "No catalog."


@pytest.mark.parametrize("is_good", [True, False])
async def test_an_end_that_is_heard_before_the_claim_is_known_to_be_lost_counts(
    rig: Rig, *, is_good: bool
) -> None:
    rig.worker.renewal_failure = None if is_good else FailureKind.VISITED
    await renewal_of_another(rig)

    async def answered_late(original: Any, role: Role, commands: Sequence[RenewCatalog], **o: Any) -> Any:
        lost = await original(role, commands, **o)
        rig.worker.renewal_hold.set()
        await until(lambda: rig.api.renewals.last if is_good else rig.api.renewals._failures)
        return lost

    async with submits(rig, answered_late):
        outcome = await asyncio.wait_for(renewing(rig), 2)
    assert isinstance(outcome, UpstreamError) is not is_good
    assert [one.id for one in rig.worker.renewals] == ["other"]


async def test_a_claim_whose_holder_died_is_won_anew(rig: Rig) -> None:
    dead = await renewal_of_another(rig, wait=0.05)
    waiting = renewing(rig)
    await depends_on(rig, dead.id)
    await rig.advance(seconds=0.1)
    await until(lambda: not any(one.command_id == dead.id for one in rig.api.renewals._flights.values()))
    rig.worker.renewal_hold.set()
    assert await waiting is None


async def test_a_failure_of_other_things_ends_no_renewal(rig: Rig) -> None:
    rig.worker.renewal_hold.clear()
    waiting = renewing(rig)
    await until(lambda: rig.worker.renewals)
    own = rig.worker.renewals[0].id
    for command_id, currency_id in (("ranking", None), (own, 1)):
        failure = Failure(currency_id=currency_id, kind=FailureKind.VISITED, detail="Another's.")
        await rig.queue.announce([RefreshFailed(command_id=command_id, failures=(failure,))])
    await until(lambda: own in rig.api.renewals._failures)
    assert not waiting.done()
    rig.worker.renewal_hold.set()
    assert await waiting is None


async def test_a_failure_of_a_renewal_ends_neither_rates_nor_rankings(rig: Rig) -> None:
    rig.worker.hold.clear()
    rig.worker.ranking_hold.clear()
    rate = asking(rig)
    ranking = asyncio.create_task(rig.api.top.rankings.refresh(4, request_id="test"))
    await until(lambda: rig.worker.commands and rig.worker.rankings)
    rig.worker.renewal_failure = FailureKind.VISITED
    assert isinstance(await renewing(rig), UpstreamError)
    assert not rate.done()
    assert not ranking.done()
    rig.worker.hold.set()
    rig.worker.ranking_hold.set()
    assert (await rate).currency_id == 1
    assert not isinstance(await ranking, FreshrateError)


async def test_a_deadline_of_another_with_time_left_of_ours_is_no_end(rig: Rig) -> None:
    rig.worker.renewal_failure = FailureKind.DEADLINE
    await renewal_of_another(rig)
    waiting = renewing(rig)
    await depends_on(rig, "other")
    failing = rig.worker.renew

    async def once(deliveries: Any) -> None:
        rig.worker.renewal_failure = None
        await failing(deliveries)

    rig.worker.renew = once  # type: ignore[method-assign]
    rig.worker.renewal_hold.set()
    assert await waiting is None
    assert len(rig.worker.renewals) == 2


# The catalog is read first


async def test_nobody_is_told_before_the_catalog_was_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    original, gate, reads = rig.storage.catalog, asyncio.Event(), []

    async def slow() -> Any:
        reads.append(True)
        await gate.wait()
        return await original()

    monkeypatch.setattr(rig.storage, "catalog", slow)
    rig.worker.newcomers = (coin(42, "NEW", 1),)
    waiting = renewing(rig)
    await until(lambda: reads)
    assert rig.api.renewals.last is None
    assert not waiting.done()
    gate.set()
    assert await waiting is None
    assert rig.api.catalog.get(42)


async def test_a_fact_that_comes_while_the_catalog_is_being_read_waits_for_the_next_reading(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, gate, reads = rig.storage.catalog, asyncio.Event(), []

    async def slow() -> Any:
        known = await original()
        reads.append(len(known))
        await gate.wait()
        return known

    monkeypatch.setattr(rig.storage, "catalog", slow)
    await rig.queue.announce([CatalogStored(currencies=1)])
    await until(lambda: reads)
    rig.worker.newcomers = (coin(42, "NEW", 1),)
    waiting = renewing(rig)
    await until(rig.api.renewals.unread)
    assert len(reads) == 1
    gate.set()
    assert await waiting is None
    assert rig.api.catalog.get(42)
    assert reads[-1] == reads[0] + 1


@pytest.mark.parametrize("method", ["catalog", "last_rates"])
@pytest.mark.parametrize("error", [StorageUnavailable("Gone."), ValueError("x")])
async def test_a_database_that_is_away_is_told_at_once_and_the_catalog_read_later(
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    error: Exception,
) -> None:
    original, errors = getattr(rig.storage, method), [error] * 3

    async def down(*options: Any) -> Any:
        if errors:
            raise errors[-1]
        return await original(*options)

    monkeypatch.setattr("api.river.RETRY_SECONDS", 0.01)
    monkeypatch.setattr(rig.storage, method, down)
    rig.worker.newcomers = (coin(42, "NEW", 1),)
    outcome = await asyncio.wait_for(seek(rig, "NEW"), 2)
    assert type(outcome) is StorageUnavailable
    assert rig.api.renewals.last is None
    errors.clear()
    await until(lambda: rig.api.catalog.get(42))
    assert await seek(rig, "OTHER") is None
    assert len(rig.worker.renewals) == 2


async def test_who_is_not_told_yet_waits_on_while_the_database_is_away(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, errors, failed = rig.storage.catalog, [StorageUnavailable()], []

    async def down() -> Any:
        if errors:
            failed.append(errors.pop())
            raise failed[-1]
        return await original()

    rig.worker.renewal_hold.clear()
    waiting = renewing(rig)
    await until(lambda: rig.worker.renewals)
    monkeypatch.setattr("api.river.RETRY_SECONDS", 0.01)
    monkeypatch.setattr(rig.storage, "catalog", down)
    await rig.queue.announce([CatalogStored(currencies=1)])
    await until(lambda: failed)
    rig.worker.renewal_hold.set()
    assert await waiting is None


# Outages, gaps, the end


async def test_after_a_gap_who_still_waits_asks_again(rig: Rig) -> None:
    submitted: list[str] = []

    async def swallowed_once(original: Any, role: Role, commands: Sequence[RenewCatalog], **o: Any) -> Any:
        assert role is Role.CATALOG
        submitted.extend(one.id for one in commands)
        return [] if len(submitted) == 1 else await original(role, commands, **o)

    async with submits(rig, swallowed_once):
        waiting = renewing(rig)
        await until(lambda: submitted)
        rig.api.river._take(Gap())
        assert await asyncio.wait_for(waiting, 2) is None
    assert len(set(submitted)) == 2


async def test_an_outage_fails_waiters_at_once_and_newcomers_until_the_next_gap(rig: Rig) -> None:
    rig.worker.renewal_hold.clear()
    waiting = renewing(rig)
    await until(lambda: rig.worker.renewals)
    rig.api.river._take(Outage())
    assert isinstance(await asyncio.wait_for(waiting, 2), QueueUnavailable)
    assert isinstance(await asyncio.wait_for(renewing(rig), 2), QueueUnavailable)
    rig.api.river._take(Gap())
    rig.worker.renewal_hold.set()
    assert await renewing(rig) is None


async def test_a_queue_that_refuses_the_command_is_told_at_once(rig: Rig) -> None:
    async def down(*_args: Any, **_options: Any) -> Any:
        raise QueueUnavailable("Redis did not answer.")

    async with submits(rig, down):
        assert isinstance(await asyncio.wait_for(renewing(rig), 2), QueueUnavailable)
    assert await renewing(rig) is None


async def test_without_a_worker_nobody_waits(rig: Rig) -> None:
    rig.clock.advance(seconds=4)
    assert isinstance(await asyncio.wait_for(renewing(rig), 2), WorkerGone)


async def test_a_silent_worker_keeps_nobody_past_the_deadline(start: StartRig) -> None:
    rig = await start(refresh_timeout_seconds=0.2)
    rig.worker.renewal_hold.clear()
    error = await asyncio.wait_for(renewing(rig), 3)
    assert isinstance(error, DeadlineExceeded)
    assert str(error) == "The catalog was not renewed within the time limit."
    rig.worker.renewal_hold.set()


async def test_a_process_that_stops_lets_nobody_wait(rig: Rig) -> None:
    rig.worker.renewal_hold.clear()
    waiting = renewing(rig)
    await until(lambda: rig.worker.renewals)
    rig.api.renewals.stop()
    for outcome in (await asyncio.wait_for(waiting, 2), await asyncio.wait_for(renewing(rig), 0.5)):
        assert isinstance(outcome, NotTried)
        assert "being stopped" in str(outcome)


async def test_who_leaves_takes_nothing_from_the_others(rig: Rig) -> None:
    rig.worker.renewal_hold.clear()
    leaving, staying = renewing(rig), renewing(rig)
    await until(lambda: rig.worker.renewals)
    leaving.cancel()
    rig.worker.renewal_hold.set()
    assert await staying is None
    assert len(rig.worker.renewals) == 1

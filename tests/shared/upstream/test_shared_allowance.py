"""The allowance that all processes share."""

import asyncio
from dataclasses import replace

import pytest

from shared.domain.allowance import Allowance
from shared.errors import BudgetSpent, StorageUnavailable
from shared.upstream.shared_allowance import SharedAllowance
from tests.shared.upstream.doubles import NOW, Keeper


def spend(allowance: Allowance) -> Allowance:
    return allowance.reserve(now=NOW, credits=1, calls_per_minute=0, credits_per_month=5)


async def test_the_usual_change_is_one_round_trip() -> None:
    keeper = Keeper()
    allowance = SharedAllowance(keeper, "plain")
    await allowance.change(spend)
    before = keeper.round_trips
    await allowance.change(spend)
    assert keeper.round_trips - before == 1
    assert keeper.state().credits_spent == 2


async def test_a_change_by_another_process_is_noticed() -> None:
    keeper = Keeper()
    ours, theirs = SharedAllowance(keeper, "plain"), SharedAllowance(keeper, "plain")
    for _ in range(2):
        await ours.change(spend)
        await theirs.change(spend)
    assert keeper.state().credits_spent == 4


async def test_nothing_is_refused_on_memory_alone() -> None:
    keeper = Keeper()
    ours, theirs = SharedAllowance(keeper, "plain"), SharedAllowance(keeper, "plain")
    await ours.change(lambda allowance: replace(allowance, month="2026-11", credits_spent=5))
    with pytest.raises(BudgetSpent):
        await ours.change(spend)
    await theirs.change(lambda allowance: replace(allowance, credits_spent=4))
    assert (await ours.change(spend)).credits_spent == 4


async def test_nothing_is_left_as_it_is_on_memory_alone() -> None:
    keeper = Keeper()
    ours, theirs = SharedAllowance(keeper, "plain"), SharedAllowance(keeper, "plain")
    await ours.change(spend)
    await theirs.change(lambda allowance: allowance.blocked(until=NOW, because="x"))
    await ours.change(Allowance.unblocked)
    assert keeper.state().blocked_until is None


async def test_a_change_that_changes_nothing_is_not_stored() -> None:
    keeper = Keeper()
    await SharedAllowance(keeper, "plain").change(Allowance.unblocked)
    assert keeper.kept == {}


async def test_many_at_once_never_spend_the_same_credit_twice() -> None:
    keeper = Keeper()
    processes = [SharedAllowance(keeper, "plain") for _ in range(4)]
    results = await asyncio.gather(
        *(process.change(spend) for process in processes for _ in range(5)), return_exceptions=True
    )
    assert sum(1 for result in results if isinstance(result, Allowance)) == 5
    assert sum(1 for result in results if isinstance(result, BudgetSpent)) == 15
    assert keeper.state().credits_spent == 5


async def test_an_outage_passes_through_and_the_next_change_works() -> None:
    keeper = Keeper()
    allowance = SharedAllowance(keeper, "plain")
    await allowance.change(spend)
    keeper.is_down = True
    with pytest.raises(StorageUnavailable):
        await allowance.change(spend)
    keeper.is_down = False
    await allowance.change(spend)
    assert keeper.state().credits_spent == 2


class _NeverAgreeing(Keeper):
    async def replace_allowance(self, source: str, allowance: Allowance, *, version: int) -> bool:
        return await super().replace_allowance(source, allowance, version=version + 1)


async def test_conflicts_without_end_are_an_outage_and_not_a_hang() -> None:
    with pytest.raises(StorageUnavailable, match="without end"):
        await SharedAllowance(_NeverAgreeing(), "plain").change(spend)

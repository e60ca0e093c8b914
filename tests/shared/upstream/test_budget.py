"""What is not sent because budget, storage or time does not allow it, and the pace of polls that follows from the budget."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from shared.domain.allowance import Allowance, next_month
from shared.errors import (
    BudgetSpent,
    DeadlineExceeded,
    StorageUnavailable,
    UpstreamBroken,
)
from shared.ports import Parsed
from shared.upstream import Upstream
from tests.shared.upstream.asking import PLENTY, Server, ask
from tests.shared.upstream.doubles import NOW, Clock, Keeper, PlainSource, call


async def test_what_the_budget_refuses_is_not_sent(
    upstream: Upstream, source: PlainSource, server: Server
) -> None:
    with pytest.raises(BudgetSpent):
        await ask(upstream, source, credits=101)
    assert server.calls == 0


async def test_while_the_storage_is_down_nothing_is_sent(
    upstream: Upstream, source: PlainSource, server: Server, keeper: Keeper
) -> None:
    keeper.is_down = True
    with pytest.raises(StorageUnavailable):
        await ask(upstream, source)
    assert server.calls == 0


@pytest.mark.parametrize("time_left", [timedelta(0), timedelta(seconds=-1)])
async def test_without_time_nothing_is_reserved_or_sent(
    upstream: Upstream, source: PlainSource, server: Server, keeper: Keeper, time_left: timedelta
) -> None:
    with pytest.raises(DeadlineExceeded):
        await ask(upstream, source, time_left=time_left)
    assert (server.calls, keeper.round_trips) == (0, 0)


async def test_two_clients_that_share_a_keeper_never_pass_the_budget(
    source: PlainSource, server: Server, keeper: Keeper, clock: Clock
) -> None:
    small = PlainSource(base_url=source.base_url, calls_per_minute=7)
    async with (
        Upstream(keeper, clock=clock, registry=CollectorRegistry()) as one,
        Upstream(keeper, clock=clock, registry=CollectorRegistry()) as other,
    ):
        results = await asyncio.gather(
            *(ask(client, small) for client in (one, other) for _ in range(10)), return_exceptions=True
        )
    assert server.calls == 7
    assert sum(1 for result in results if isinstance(result, BudgetSpent)) == 13


async def test_a_failed_call_costs_nothing_but_its_place_in_the_minute(
    upstream: Upstream, source: PlainSource, server: Server, keeper: Keeper
) -> None:
    server.then(500)
    with pytest.raises(UpstreamBroken):
        await ask(upstream, source, credits=5)
    state = keeper.state()
    assert (state.credits_spent, state.failures, len(state.calls)) == (0, 1, 1)


async def test_the_interval_of_polls_comes_from_what_is_left_of_the_month(
    upstream: Upstream, source: PlainSource, keeper: Keeper
) -> None:
    keeper.kept["plain"] = (Allowance(month="2026-11", credits_spent=50), 1)
    rest = next_month(NOW) - NOW
    assert await upstream.poll_interval(source, 1) == rest / (50 * 0.9)
    assert await upstream.poll_interval(PlainSource(base_url=""), 1) == timedelta(0)


@pytest.mark.parametrize(("stated", "left"), [(None, 0), (0, 0), (2, -2)])
async def test_what_is_planned_as_free_is_sent_though_the_month_is_spent_and_what_it_cost_is_charged(
    upstream: Upstream, source: PlainSource, keeper: Keeper, stated: int | None, left: int
) -> None:
    keeper.kept["plain"] = (Allowance(month="2026-11", credits_spent=100), 1)
    free = call(lambda answer: Parsed(answer.body.decode(), stated), credits=0)
    reply = await upstream.ask(source, free, time_left=PLENTY, attempts=1)
    assert reply.credits == (stated or 0)
    assert 100 - keeper.state().credits_spent == left


async def test_a_free_call_that_fails_gives_no_credits_back(
    upstream: Upstream, source: PlainSource, server: Server, keeper: Keeper
) -> None:
    keeper.kept["plain"] = (Allowance(month="2026-11", credits_spent=7), 1)
    server.then(500)
    with pytest.raises(UpstreamBroken):
        await ask(upstream, source, credits=0)
    assert keeper.state().credits_spent == 7

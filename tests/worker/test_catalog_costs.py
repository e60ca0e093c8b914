"""What renewals of the catalog on demand may cost of the month, where a source bills them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from shared.domain.allowance import Allowance
from shared.domain.currency import CatalogEntry, CurrencyKind
from shared.domain.visit import FailureKind
from shared.messages import CatalogStored
from shared.opening import World
from shared.ports import Call, Parsed, UpstreamAnswer
from shared.sources.coinmarketcap.source import CoinMarketCap
from shared.upstream import Upstream
from tests.shared.upstream.doubles import Clock
from tests.worker.test_catalog_command import MAP, SECOND, at, failure_in, renewed
from tests.worlds import Upstreams, small_world
from worker.catalog_visit import PAUSE, SHARE
from worker.jobs.catalog import renew_catalog

START = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed(CoinMarketCap):
    """Bills its maps, whatever is documented."""

    bill: int

    def catalog(self) -> dict[CurrencyKind, Call[list[CatalogEntry]]]:
        def billed(call: Call[list[CatalogEntry]]) -> Call[list[CatalogEntry]]:
            def parse(answer: UpstreamAnswer) -> Parsed[list[CatalogEntry]]:
                return Parsed(call.parse(answer).value, self.bill)

            return replace(call, parse=parse)

        return {kind: billed(call) for kind, call in CoinMarketCap.catalog(self).items()}


@asynccontextmanager
async def billing(world: World, bill: int = 1) -> AsyncIterator[World]:
    """At the beginning of a month of 15,000 credits."""
    source = Billed(base_url=world.sources[0].base_url, credits_per_month=15_000, bill=bill)
    clock = Clock()
    clock.now = START
    async with Upstream(world.storage, clock=clock, registry=CollectorRegistry()) as upstream:
        yield replace(world, clock=clock, upstream=upstream, sources=(source,))


async def test_a_renewal_that_the_source_does_not_bill_costs_nothing_even_of_a_month_that_is_spent(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path, coinmarketcap_credits_per_month=100) as (world, _):
        spent = Allowance(month=f"{world.clock():%Y-%m}", credits_spent=100)
        assert await world.storage.replace_allowance("coinmarketcap", spent, version=0)
        assert isinstance((await renewed(world))[0], CatalogStored)
        state, _version = await world.storage.allowance("coinmarketcap")
        assert state.credits_spent == 100
        assert (await world.storage.schedule_state(PAUSE)).claimed_until is None


@pytest.mark.parametrize("bill", [1, 25])
async def test_renewals_that_are_billed_take_a_twentieth_of_the_month_over_restarts_too(
    tmp_path: Path, bill: int
) -> None:
    async with small_world(tmp_path) as (free, _), billing(free, bill) as world:
        assert isinstance((await renewed(world))[0], CatalogStored)
        state, _version = await world.storage.allowance("coinmarketcap")
        assert state.credits_spent == bill
        pause = await world.upstream.poll_interval(world.sources[0], SHARE * bill)
    assert pause / (bill * 64 * 60 * SECOND) == pytest.approx(1, rel=0.01)
    async with small_world(tmp_path) as (free, upstreams), billing(free, bill) as world:
        for moment, calls in ((START + pause - SECOND, 0), (START + pause + SECOND, 1)):
            (fact,) = await renewed(at(world, moment))
            assert isinstance(fact, CatalogStored)
            assert await upstreams.calls(MAP) == calls


async def test_a_daily_renewal_that_was_billed_serves_for_as_long(world: World, upstreams: Upstreams) -> None:
    async with billing(world) as billed:
        assert await renew_catalog(billed) is not None
        assert isinstance((await renewed(at(billed, START + 3600 * SECOND)))[0], CatalogStored)
    assert await upstreams.calls(MAP) == 1


async def test_after_a_failure_what_was_billed_before_it_delays_nothing(
    world: World, upstreams: Upstreams
) -> None:
    async with billing(world) as billed:
        assert await renew_catalog(billed) is not None
        await upstreams.fault(path=MAP, kind="status", code=500)
        assert await renew_catalog(at(billed, START + 300 * SECOND)) is None
        assert failure_in(await renewed(at(billed, START + 310 * SECOND))) == (FailureKind.NOT_TRIED, 50)
        await upstreams.heal()
        calls = await upstreams.calls(MAP)
        assert isinstance((await renewed(at(billed, START + 361 * SECOND)))[0], CatalogStored)
    assert await upstreams.calls(MAP) == calls + 1


async def test_an_answer_that_is_billed_and_not_believed_is_paid_for_as_rarely(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(at(world, START))
    listed = [one.id for one in await world.storage.catalog()]
    await upstreams.fault(path=MAP, kind="missing", ids=listed[: len(listed) * 2 // 3])
    async with billing(world) as billed:
        assert failure_in(await renewed(at(billed, START + 120 * SECOND)))[0] is FailureKind.VISITED
        kind, retry_after = failure_in(await renewed(at(billed, START + 240 * SECOND)))
    assert kind is FailureKind.NOT_TRIED
    assert retry_after == pytest.approx(62 * 60, rel=0.01)
    assert await upstreams.calls(MAP) == 2

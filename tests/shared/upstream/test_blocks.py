"""Sources that ask to be left alone, or do not accept our account."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import CapturingLogger

from shared.domain.allowance import next_day, next_month
from shared.errors import (
    SourceBlocked,
    UpstreamError,
    UpstreamRefused,
)
from shared.upstream import Upstream
from tests.shared.upstream.asking import Server, ask, fail
from tests.shared.upstream.doubles import NOW, Clock, Keeper, PlainSource


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, None, 60.0),
        (429, "30", 30.0),
        (429, "0", 1.0),
        (429, "0.01", 1.0),
        (429, "1000000000", 3600.0),
        (429, "Fri, 20 Nov 2026 12:01:30 GMT", 90.0),
        (430, "1", (next_day(NOW) - NOW).total_seconds()),
        (431, None, (next_month(NOW) - NOW).total_seconds()),
        (401, None, 3600.0),
    ],
)
async def test_a_source_that_asks_for_it_is_left_alone_by_all_and_then_asked_again(
    upstream: Upstream,
    source: PlainSource,
    server: Server,
    clock: Clock,
    keeper: Keeper,
    status: int,
    header: str | None,
    seconds: float,
) -> None:
    server.then(status, headers={"Retry-After": header} if header else None)
    await fail(upstream, source, UpstreamError)
    assert keeper.state().credits_spent == 0
    async with Upstream(keeper, clock=clock, registry=CollectorRegistry()) as other:
        for client in (upstream, other):
            with pytest.raises(SourceBlocked) as caught:
                await ask(client, source)
            assert caught.value.retry_after == pytest.approx(seconds)
    assert server.calls == 1
    clock.move(seconds)
    assert (await ask(upstream, source)).value == "hello"


async def test_a_restart_asks_a_source_again_that_had_refused(
    upstream: Upstream, source: PlainSource, server: Server
) -> None:
    server.then(401)
    await fail(upstream, source, UpstreamRefused)
    await fail(upstream, source, SourceBlocked)
    await upstream.forgive(source)
    assert (await ask(upstream, source)).value == "hello"


async def test_the_operator_is_told_once_that_the_account_is_refused(
    upstream: Upstream, source: PlainSource, server: Server, log: CapturingLogger
) -> None:
    server.then(401, 401, 401)
    await asyncio.gather(*(ask(upstream, source) for _ in range(3)), return_exceptions=True)
    levels = [name for name, *_ in log.calls]
    assert levels.count("error") == 1

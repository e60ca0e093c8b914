"""What opens the breaker, what does not, and how it closes."""

import asyncio
from datetime import timedelta

import pytest

from shared.domain.allowance import FIRST_PAUSE
from shared.errors import (
    BreakerOpen,
    UpstreamBroken,
    UpstreamError,
    UpstreamMalformed,
    UpstreamUnreachable,
)
from shared.upstream import Reply, Upstream
from tests.shared.upstream.asking import Server, ask, fail
from tests.shared.upstream.conftest import Start
from tests.shared.upstream.doubles import Clock, Keeper, PlainSource


@pytest.mark.parametrize(("status", "error"), [(500, UpstreamBroken), (422, UpstreamMalformed)])
async def test_the_breaker_opens_after_five_failures_and_lets_one_probe_through(
    upstream: Upstream,
    source: PlainSource,
    server: Server,
    clock: Clock,
    keeper: Keeper,
    status: int,
    error: type[UpstreamError],
) -> None:
    server.then(*[status] * 6)
    await fail(upstream, source, error, times=5)
    await fail(upstream, source, BreakerOpen, times=3)
    assert server.calls == 5
    clock.move(5)
    await fail(upstream, source, error)
    clock.move(9.9)
    await fail(upstream, source, BreakerOpen)
    clock.move(0.1)
    probe, other = await asyncio.gather(ask(upstream, source), ask(upstream, source), return_exceptions=True)
    assert {type(probe), type(other)} == {Reply, BreakerOpen}
    assert keeper.state().failures == 0
    assert keeper.state().pause == FIRST_PAUSE
    await ask(upstream, source)


async def test_a_source_out_of_reach_opens_the_breaker_too(
    upstream: Upstream, unused_tcp_port: int, keeper: Keeper
) -> None:
    source = PlainSource(base_url=f"http://127.0.0.1:{unused_tcp_port}")
    await fail(upstream, source, UpstreamUnreachable, times=5)
    await fail(upstream, source, BreakerOpen)
    assert keeper.state().failures == 5


async def test_a_source_that_was_given_hardly_any_time_has_not_failed(
    upstream: Upstream, talk: Start, keeper: Keeper
) -> None:
    async def speak(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    with pytest.raises(UpstreamUnreachable):
        await ask(upstream, await talk(speak), time_left=timedelta(milliseconds=50))
    assert keeper.state().failures == 0

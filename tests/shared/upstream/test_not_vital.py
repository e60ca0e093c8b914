"""Calls that no rate depends on say nothing of the source's health."""

from datetime import timedelta

import pytest
from structlog.testing import CapturingLogger

from shared.domain.allowance import FAILURES_TO_OPEN, LONGEST_PAUSE
from shared.errors import BreakerOpen, SourceBlocked, UpstreamBroken, UpstreamError, UpstreamLimited
from shared.upstream import Upstream
from tests.shared.upstream.asking import Server, ask, fail
from tests.shared.upstream.doubles import Clock, Keeper, PlainSource


@pytest.mark.parametrize("status", [400, 401, 422, 500])
async def test_however_they_fail_the_source_is_asked_all_the_same_and_their_credits_come_back(
    upstream: Upstream, source: PlainSource, server: Server, keeper: Keeper, status: int
) -> None:
    server.then(*[status] * (FAILURES_TO_OPEN + 1))
    for _ in range(FAILURES_TO_OPEN + 1):
        with pytest.raises(UpstreamError):
            await ask(upstream, source, credits=7, is_vital=False)
    state = keeper.state()
    assert (state.failures, state.open_until, state.blocked_until, state.credits_spent) == (0, None, None, 0)
    assert len(state.calls) == FAILURES_TO_OPEN + 1
    assert (await ask(upstream, source)).value == "hello"


async def test_a_refusal_of_theirs_calls_for_no_operator(
    upstream: Upstream, source: PlainSource, server: Server, log: CapturingLogger
) -> None:
    server.then(401)
    with pytest.raises(UpstreamError):
        await ask(upstream, source, is_vital=False)
    assert [name for name, *_ in log.calls] == ["warning"]


async def test_too_many_is_said_to_all(upstream: Upstream, source: PlainSource, server: Server) -> None:
    server.then(429)
    with pytest.raises(UpstreamLimited):
        await ask(upstream, source, is_vital=False)
    await fail(upstream, source, SourceBlocked)


async def test_while_the_source_is_blocked_they_are_refused(
    upstream: Upstream, source: PlainSource, server: Server
) -> None:
    server.then(401)
    await fail(upstream, source, UpstreamError)
    with pytest.raises(SourceBlocked):
        await ask(upstream, source, is_vital=False)
    assert server.calls == 1


async def test_a_good_answer_of_theirs_hides_no_failure(
    upstream: Upstream, source: PlainSource, server: Server, keeper: Keeper
) -> None:
    server.then(500)
    await fail(upstream, source, UpstreamBroken)
    assert (await ask(upstream, source, credits=3, is_vital=False)).value == "hello"
    assert (keeper.state().failures, keeper.state().credits_spent) == (1, 3)


async def test_they_are_refused_until_a_probe_has_closed_the_breaker(
    upstream: Upstream, source: PlainSource, server: Server, clock: Clock, keeper: Keeper
) -> None:
    server.then(*[500] * FAILURES_TO_OPEN)
    await fail(upstream, source, UpstreamBroken, times=FAILURES_TO_OPEN)
    for pause in (timedelta(0), LONGEST_PAUSE):
        clock.move(pause.total_seconds())
        before = keeper.state()
        with pytest.raises(BreakerOpen):
            await ask(upstream, source, is_vital=False)
        with pytest.raises(BreakerOpen):
            await upstream.require(source, calls=1, credits=1, is_vital=False)
        assert keeper.state() == before
    assert (await ask(upstream, source)).value == "hello"
    assert (await ask(upstream, source, is_vital=False)).value == "hello"
    assert server.calls == FAILURES_TO_OPEN + 2

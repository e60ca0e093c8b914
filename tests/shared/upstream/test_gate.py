"""How many calls reach a source within a second."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from shared.errors import DeadlineExceeded, UpstreamBroken
from shared.upstream import Upstream
from tests.shared.upstream.asking import PLENTY, Server, by_status
from tests.shared.upstream.conftest import Serve
from tests.shared.upstream.doubles import PlainSource, call

SHORT = timedelta(seconds=0.3)


async def ask(
    upstream: Upstream,
    source: PlainSource,
    *,
    per_second: int,
    time_left: timedelta = PLENTY,
    attempts: int = 1,
) -> None:
    await upstream.ask(source, call(by_status), time_left=time_left, attempts=attempts, per_second=per_second)


async def test_no_second_sees_more_than_it_may_whoever_asks_and_however_slow_the_answers(
    upstream: Upstream, serve: Serve
) -> None:
    arrived: list[float] = []

    async def handle(_: web.Request) -> web.Response:
        arrived.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.05 * (len(arrived) % 3))
        return web.Response()

    source = PlainSource(base_url=await serve(handle))
    await asyncio.gather(*(ask(upstream, source, per_second=3) for _ in range(8)))
    assert len(arrived) == 8
    assert max(sum(start <= one < start + 1 for one in arrived) for start in arrived) == 3


async def test_whoever_is_not_let_in_by_the_deadline_has_not_asked(
    upstream: Upstream, source: PlainSource, server: Server
) -> None:
    await ask(upstream, source, per_second=1)
    with pytest.raises(DeadlineExceeded):
        await ask(upstream, source, per_second=1, time_left=SHORT)
    assert server.calls == 1


async def test_a_retry_waits_too_and_one_that_is_too_late_does_not_hide_what_failed(
    upstream: Upstream, source: PlainSource, server: Server
) -> None:
    server.then(500)
    with pytest.raises(UpstreamBroken):
        await ask(upstream, source, per_second=1, time_left=SHORT, attempts=2)
    assert server.calls == 1


async def test_calls_that_know_no_such_limit_do_not_wait(
    upstream: Upstream, source: PlainSource, server: Server
) -> None:
    await ask(upstream, source, per_second=1)
    for _ in range(5):
        await ask(upstream, source, per_second=0, time_left=SHORT)
    assert server.calls == 6

"""What is tried again, how often, and what is said in the end."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from shared.domain.allowance import Allowance
from shared.errors import (
    BudgetSpent,
    UpstreamBroken,
    UpstreamError,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamUnreachable,
)
from shared.ports import Parsed, UpstreamAnswer
from shared.upstream import Upstream, client
from tests.shared.upstream.asking import PLENTY, Server, ask
from tests.shared.upstream.conftest import Start
from tests.shared.upstream.doubles import Clock, Keeper, PlainSource, call


@pytest.mark.parametrize(("statuses", "attempts"), [((500,), 2), ((500, 500), 3)])
async def test_a_server_error_is_tried_again(
    upstream: Upstream,
    source: PlainSource,
    server: Server,
    keeper: Keeper,
    statuses: tuple[int, ...],
    attempts: int,
) -> None:
    server.then(*statuses)
    reply = await ask(upstream, source, attempts=3)
    assert reply.attempts == attempts
    assert server.calls == attempts
    assert len(keeper.state().calls) == attempts
    assert (keeper.state().credits_spent, keeper.state().failures) == (1, 0)


async def test_attempts_come_to_an_end_with_the_last_failure(
    upstream: Upstream, source: PlainSource, server: Server
) -> None:
    server.then(500, 500, 500, 500)
    with pytest.raises(UpstreamBroken):
        await ask(upstream, source, attempts=3)
    assert server.calls == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, UpstreamRejected), (401, UpstreamRefused), (422, UpstreamMalformed), (429, UpstreamLimited)],
)
async def test_what_will_be_the_same_in_a_moment_is_not_tried_again(
    upstream: Upstream, source: PlainSource, server: Server, status: int, error: type[UpstreamError]
) -> None:
    server.then(status)
    with pytest.raises(error):
        await ask(upstream, source, attempts=3)
    assert server.calls == 1


async def test_no_attempt_begins_that_the_time_does_not_allow(
    upstream: Upstream, source: PlainSource, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 100)
    server.then(500)
    with pytest.raises(UpstreamBroken):
        await ask(upstream, source, attempts=3)
    assert server.calls == 1


async def test_a_refusal_between_two_attempts_does_not_hide_why_the_first_failed(
    upstream: Upstream, source: PlainSource, server: Server
) -> None:
    once = PlainSource(base_url=source.base_url, calls_per_minute=1)
    server.then(500)
    with pytest.raises(UpstreamBroken) as caught:
        await ask(upstream, once, attempts=2)
    assert isinstance(caught.value.__cause__, BudgetSpent)


async def test_an_outage_of_the_storage_between_two_attempts_does_not_either(
    upstream: Upstream, source: PlainSource, keeper: Keeper
) -> None:
    def parse(_: UpstreamAnswer) -> Parsed[str]:
        keeper.is_down = True
        raise UpstreamBroken("broken")

    with pytest.raises(UpstreamBroken):
        await upstream.ask(source, call(parse), time_left=PLENTY, attempts=2)


async def test_time_that_the_storage_took_is_not_given_to_the_source(talk: Start, clock: Clock) -> None:
    class Slow(Keeper):
        async def allowance(self, source: str) -> tuple[Allowance, int]:
            await asyncio.sleep(0.05)
            return await super().allowance(source)

    async def speak(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    silent = await talk(speak)
    async with Upstream(Slow(), clock=clock, registry=CollectorRegistry()) as client:
        with pytest.raises(UpstreamUnreachable, match=r"within 0\.0 s"):
            await ask(client, silent, time_left=timedelta(milliseconds=50))


async def test_pauses_double_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 0.1)
    assert client._pause(0) == 0
    assert all(0.05 <= client._pause(1) <= 0.15 and 0.1 <= client._pause(2) <= 0.3 for _ in range(50))
    assert len({client._pause(1) for _ in range(10)}) > 1

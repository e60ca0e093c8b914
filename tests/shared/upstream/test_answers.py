"""What a good answer gives, and what the client does with one that it cannot read."""

import pytest
from structlog.testing import CapturingLogger

from shared.errors import (
    UpstreamBroken,
    UpstreamMalformed,
    UpstreamRejected,
)
from shared.ports import Parsed, UpstreamAnswer
from shared.upstream import Upstream, client
from tests.shared.upstream.asking import PLENTY, Server, ask, fail
from tests.shared.upstream.doubles import NOW, Keeper, PlainSource, call


async def test_a_good_answer_is_read_reserved_once_and_leaves_nothing_to_settle(
    upstream: Upstream, source: PlainSource, keeper: Keeper
) -> None:
    await ask(upstream, source)
    before = keeper.round_trips
    reply = await ask(upstream, source, credits=3)
    assert keeper.round_trips - before == 1
    assert (reply.value, reply.credits, reply.attempts) == ("hello", 3, 1)
    assert reply.started_at == reply.answered_at == NOW
    assert keeper.state().credits_spent == 4
    assert keeper.state().calls == (NOW, NOW)


@pytest.mark.parametrize(("says", "spent"), [(5, 5), (0, 0), (1, 1)])
async def test_what_the_source_says_that_it_cost_counts(
    upstream: Upstream, source: PlainSource, keeper: Keeper, says: int, spent: int
) -> None:
    stated = call(lambda answer: Parsed(answer.body.decode(), says))
    reply = await upstream.ask(source, stated, time_left=PLENTY, attempts=1)
    assert reply.credits == spent
    assert keeper.state().credits_spent == spent


async def test_a_source_without_budgets_is_looked_up_once_a_second_and_nothing_is_stored(
    upstream: Upstream, source: PlainSource, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = PlainSource(base_url=source.base_url)
    for _ in range(3):
        await ask(upstream, free)
    assert keeper.kept == {}
    assert keeper.round_trips == 1
    monkeypatch.setattr(client, "NEWS_WITHIN_S", 0.0)
    await ask(upstream, free)
    assert keeper.round_trips == 2


async def test_a_large_answer_is_read_in_a_thread(
    upstream: Upstream, source: PlainSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LARGE_BODY_BYTES", 4)
    assert (await ask(upstream, source)).value == "hello"


async def test_a_rejected_request_costs_nothing_and_shows_that_the_source_is_well(
    upstream: Upstream, source: PlainSource, server: Server, keeper: Keeper
) -> None:
    server.then(500, 500, 400)
    await fail(upstream, source, UpstreamBroken, times=2)
    with pytest.raises(UpstreamRejected) as caught:
        await ask(upstream, source)
    assert caught.value.rejected == ("1",)
    assert (keeper.state().credits_spent, keeper.state().failures) == (0, 0)


async def test_a_defect_in_a_parser_is_a_malformed_answer_and_a_traceback_in_the_log(
    upstream: Upstream, source: PlainSource, log: CapturingLogger, keeper: Keeper
) -> None:
    def parse(_: UpstreamAnswer) -> Parsed[str]:
        raise KeyError("data")

    with pytest.raises(UpstreamMalformed, match="unforeseen"):
        await upstream.ask(source, call(parse), time_left=PLENTY, attempts=1)
    assert [name for name, *_ in log.calls] == ["exception", "warning"]
    assert keeper.state().failures == 1

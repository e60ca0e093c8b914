"""The storage fails between a call and its settling."""

import pytest
from structlog.testing import CapturingLogger

from shared.errors import (
    UpstreamMalformed,
)
from shared.ports import Parsed, UpstreamAnswer
from shared.upstream import Upstream
from tests.shared.upstream.asking import PLENTY
from tests.shared.upstream.doubles import Keeper, PlainSource, call


async def test_an_answer_counts_though_the_storage_fails_before_it_is_settled(
    upstream: Upstream, source: PlainSource, keeper: Keeper, log: CapturingLogger
) -> None:
    def parse(answer: UpstreamAnswer) -> Parsed[str]:
        keeper.is_down = True
        return Parsed(answer.body.decode(), 9)

    reply = await upstream.ask(source, call(parse), time_left=PLENTY, attempts=1)
    assert reply.value == "hello"
    assert [name for name, *_ in log.calls] == ["debug", "warning"]


async def test_a_failure_is_told_though_the_storage_fails_before_it_is_settled(
    upstream: Upstream, source: PlainSource, keeper: Keeper
) -> None:
    def parse(_: UpstreamAnswer) -> Parsed[str]:
        keeper.is_down = True
        raise UpstreamMalformed("nonsense")

    with pytest.raises(UpstreamMalformed, match="nonsense"):
        await upstream.ask(source, call(parse), time_left=PLENTY, attempts=1)

"""How the tests of the client ask: a server that answers with the statuses of a test, and what each status means."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from aiohttp import web

from shared.errors import (
    FreshrateError,
    LimitPeriod,
    UpstreamBroken,
    UpstreamError,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
)
from shared.ports import Parsed, UpstreamAnswer
from shared.upstream import Reply, Upstream
from tests.shared.upstream.doubles import PlainSource, call, text

PLENTY = timedelta(seconds=5)


class Server:
    """Answers 200 until told otherwise, and counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.answers: Iterator[web.Response] = iter(())

    def then(self, *statuses: int, headers: dict[str, str] | None = None) -> None:
        self.answers = iter([web.Response(status=status, headers=headers) for status in statuses])

    async def handle(self, _: web.Request) -> web.Response:
        self.calls += 1
        return next(self.answers, None) or web.Response(text="hello")


def by_status(answer: UpstreamAnswer) -> Parsed[str]:
    errors: dict[int, UpstreamError] = {
        400: UpstreamRejected("no such coin", rejected=("1",)),
        401: UpstreamRefused("bad key"),
        422: UpstreamMalformed("nonsense"),
        429: UpstreamLimited("too many"),
        430: UpstreamLimited("day", period=LimitPeriod.DAY),
        431: UpstreamLimited("month", period=LimitPeriod.MONTH),
        500: UpstreamBroken("broken"),
    }
    if answer.status in errors:
        raise errors[answer.status]
    return text(answer)


async def ask(
    upstream: Upstream,
    source: PlainSource,
    *,
    attempts: int = 1,
    credits: int = 1,
    time_left: timedelta = PLENTY,
    is_vital: bool = True,
) -> Reply[str]:
    return await upstream.ask(
        source,
        call(by_status, credits=credits),
        time_left=time_left,
        attempts=attempts,
        is_vital=is_vital,
    )


async def fail(
    upstream: Upstream, source: PlainSource, error: type[FreshrateError], *, times: int = 1
) -> None:
    for _ in range(times):
        with pytest.raises(error):
            await ask(upstream, source)

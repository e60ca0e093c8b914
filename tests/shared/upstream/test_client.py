"""Calls to a source: reserved, made, tried again, settled, counted and logged."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from structlog.testing import CapturingLogger

from shared.domain.allowance import FIRST_PAUSE, Allowance, next_day, next_month
from shared.errors import (
    BreakerOpen,
    BudgetSpent,
    DeadlineExceeded,
    FreshrateError,
    LimitPeriod,
    SourceBlocked,
    StorageUnavailable,
    UpstreamBroken,
    UpstreamError,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamUnreachable,
)
from shared.ports import Parsed, UpstreamAnswer
from shared.upstream import Reply, Upstream, client
from tests.shared.upstream.conftest import Handler, Talk
from tests.shared.upstream.doubles import NOW, Clock, Keeper, PlainSource, call, text

Serve = Callable[[Handler], Awaitable[str]]
Start = Callable[[Talk], Awaitable[PlainSource]]
PLENTY = timedelta(seconds=5)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 0.001)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    capturing = CapturingLogger()
    monkeypatch.setattr(client, "log", capturing)
    return capturing


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


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def source(serve: Serve, server: Server) -> PlainSource:
    return PlainSource(base_url=await serve(server.handle), calls_per_minute=100, credits_per_month=100)


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
) -> Reply[str]:
    return await upstream.ask(
        source, call(by_status, credits=credits), time_left=time_left, attempts=attempts
    )


async def fail(
    upstream: Upstream, source: PlainSource, error: type[FreshrateError], *, times: int = 1
) -> None:
    for _ in range(times):
        with pytest.raises(error):
            await ask(upstream, source)


# Success


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


async def test_a_source_without_budgets_is_looked_up_and_nothing_is_stored(
    upstream: Upstream, source: PlainSource, keeper: Keeper
) -> None:
    free = PlainSource(base_url=source.base_url)
    for _ in range(3):
        await ask(upstream, free)
    assert keeper.kept == {}
    assert keeper.round_trips == 3


async def test_a_large_answer_is_read_in_a_thread(
    upstream: Upstream, source: PlainSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LARGE_BODY_BYTES", 4)
    assert (await ask(upstream, source)).value == "hello"


# What is not sent


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


# Trying again


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


# Settling


async def test_a_failed_call_costs_nothing_but_its_place_in_the_minute(
    upstream: Upstream, source: PlainSource, server: Server, keeper: Keeper
) -> None:
    server.then(500)
    with pytest.raises(UpstreamBroken):
        await ask(upstream, source, credits=5)
    state = keeper.state()
    assert (state.credits_spent, state.failures, len(state.calls)) == (0, 1, 1)


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


async def test_a_rejected_request_costs_nothing_and_shows_that_the_source_is_well(
    upstream: Upstream, source: PlainSource, server: Server, keeper: Keeper
) -> None:
    server.then(500, 500, 400)
    await fail(upstream, source, UpstreamBroken, times=2)
    with pytest.raises(UpstreamRejected) as caught:
        await ask(upstream, source)
    assert caught.value.rejected == ("1",)
    assert (keeper.state().credits_spent, keeper.state().failures) == (0, 0)


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


async def test_a_defect_in_a_parser_is_a_malformed_answer_and_a_traceback_in_the_log(
    upstream: Upstream, source: PlainSource, log: CapturingLogger, keeper: Keeper
) -> None:
    def parse(_: UpstreamAnswer) -> Parsed[str]:
        raise KeyError("data")

    with pytest.raises(UpstreamMalformed, match="unforeseen"):
        await upstream.ask(source, call(parse), time_left=PLENTY, attempts=1)
    assert [name for name, *_ in log.calls] == ["exception", "warning"]
    assert keeper.state().failures == 1


# The pace of polls


async def test_the_interval_of_polls_comes_from_what_is_left_of_the_month(
    upstream: Upstream, source: PlainSource, keeper: Keeper
) -> None:
    keeper.kept["plain"] = (Allowance(month="2026-11", credits_spent=50), 1)
    rest = next_month(NOW) - NOW
    assert await upstream.poll_interval(source, 1) == rest / (50 * 0.9)
    assert await upstream.poll_interval(PlainSource(base_url=""), 1) == timedelta(0)


# Logs and meters


async def test_the_operator_is_told_once_that_the_account_is_refused(
    upstream: Upstream, source: PlainSource, server: Server, log: CapturingLogger
) -> None:
    server.then(401, 401, 401)
    await asyncio.gather(*(ask(upstream, source) for _ in range(3)), return_exceptions=True)
    levels = [name for name, *_ in log.calls]
    assert levels.count("error") == 1


@pytest.mark.parametrize("status", [200, 400, 401, 422, 429, 500])
async def test_no_log_holds_a_header_or_a_parameter(
    upstream: Upstream, source: PlainSource, server: Server, log: CapturingLogger, status: int
) -> None:
    server.then(status)
    await asyncio.gather(ask(upstream, source), return_exceptions=True)
    assert log.calls
    assert "secret" not in repr(log.calls)
    assert "1,2" not in repr(log.calls)


@pytest.mark.parametrize(
    ("status", "outcome", "credits"),
    [
        (200, "answered", 2),
        (400, "rejected", 0),
        (401, "refused", 0),
        (422, "malformed", 0),
        (429, "limited", 0),
        (500, "broken", 0),
    ],
)
async def test_every_call_is_counted_by_its_outcome(
    upstream: Upstream,
    source: PlainSource,
    server: Server,
    registry: CollectorRegistry,
    status: int,
    outcome: str,
    credits: int,
) -> None:
    server.then(status)
    await asyncio.gather(ask(upstream, source, credits=2), return_exceptions=True)
    labels = {"source": "plain"}
    assert registry.get_sample_value("freshrate_upstream_calls_total", {**labels, "outcome": outcome}) == 1
    assert registry.get_sample_value("freshrate_upstream_seconds_count", labels) == 1
    assert registry.get_sample_value("freshrate_upstream_credits_total", labels) == credits

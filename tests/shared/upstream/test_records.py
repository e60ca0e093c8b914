"""What logs and meters tell of a call, and what they never tell."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import CapturingLogger

from shared.upstream import Upstream
from tests.shared.upstream.asking import Server, ask
from tests.shared.upstream.doubles import PlainSource


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

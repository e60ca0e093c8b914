"""Which requests are spans, and which trace a command belongs to."""

import asyncio
from collections.abc import Iterator

import pytest

from shared.domain.visit import FailureKind
from shared.settings import read_settings
from shared.tracing import traced
from tests.api.rig import KEY, Rig, observed, until
from tests.shared.collector import SERVER, Collector, caller, collecting


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """With traces on."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with collecting() as opened:
        settings = read_settings(_env_file=None, otel_exporter_otlp_endpoint=opened.url)
        with traced(settings, service="freshrate-api"):
            yield opened


async def test_what_clients_ask_is_a_span_and_its_failure_too(rig: Rig, collector: Collector) -> None:
    rig.worker.failure = rig.visitor.failure = FailureKind.VISITED
    asked = {
        "GET /api/latestrate/{currency_id}/": ("/api/latestrate/1/", 502),
        "GET /api/currencies/": ("/api/currencies/", 200),
        "GET none": ("/api/nowhere/", 404),
        "GET /services/requestcurrency/{currency_id}/": ("/services/requestcurrency/1/", 502),
    }
    for number, (path, status) in enumerate(asked.values(), start=1):
        await rig.get(path, status=status, traceparent=caller(number)[1], **{"X-API-Key": KEY})
    for number, (name, (_, status)) in enumerate(asked.items(), start=1):
        span = (await collector.arrived(caller(number)[0], name))[name]
        assert span.kind == SERVER
        assert span.attributes["http.response.status_code"] == status
        assert span.is_failed == (status == 502)


async def test_health_scrapes_and_ready_answers_are_no_spans(rig: Rig, collector: Collector) -> None:
    await rig.store(observed())
    for path in ("/health/live", "/metrics", "/api/lastrate/1/"):
        await rig.headers(path)
    trace, header = caller(1)
    await rig.get("/api/currencies/1/", traceparent=header)
    await collector.arrived(trace, "GET /api/currencies/{currency_id}/")
    assert [one.name for one in collector.spans] == ["GET /api/currencies/{currency_id}/"]


async def test_a_command_belongs_to_the_trace_of_who_asked_first_and_so_does_the_next_one(
    rig: Rig, collector: Collector
) -> None:
    rig.worker.hold.clear()
    trace, header = caller(1)
    first = asyncio.create_task(rig.get("/api/latestrate/1/", traceparent=header))
    await until(lambda: rig.worker.commands)
    second = asyncio.create_task(rig.get("/api/latestrate/1/", traceparent=caller(2)[1]))
    rig.worker.failure = FailureKind.DEADLINE
    rig.worker.hold.set()
    await until(lambda: len(rig.worker.commands) > 1)
    rig.worker.failure = None
    await asyncio.gather(first, second)
    spans = await collector.arrived(trace, "GET /api/latestrate/{currency_id}/")
    request = spans["GET /api/latestrate/{currency_id}/"]
    assert {one.traceparent for one in rig.worker.commands} == {f"00-{trace}-{request.id}-01"}


async def test_without_traces_a_command_names_none(rig: Rig) -> None:
    await rig.get("/api/latestrate/1/", traceparent=caller(1)[1])
    assert [one.traceparent for one in rig.worker.commands] == [""]

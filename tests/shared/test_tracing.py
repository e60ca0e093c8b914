"""Spans: free where nobody looks, sent where somebody does, and harmless where the collector is away."""

import logging
import sys
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from shared import otlp, tracing
from shared.errors import SettingsError
from shared.settings import Settings, read_settings
from shared.tracing import Kind, is_on, note, span, traced, traceparent
from tests.shared.collector import CLIENT, Collector, collecting

REMOTE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
OTHER = "00-" + "c" * 32 + "-" + "d" * 16 + "-01"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Whatever tracing changes in the process is put back."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    levels = {name: logging.getLogger(name).level for name in otlp._CHATTY}
    with collecting() as opened:
        yield opened
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def settings(endpoint: str) -> Settings:
    return read_settings(_env_file=None, otel_exporter_otlp_endpoint=endpoint)


# Off


def test_off_there_is_no_span_and_nothing_to_tell() -> None:
    with traced(settings(""), service="test"):
        assert not is_on()
        assert span("one") is span("two", kind=Kind.CLIENT, parents=[REMOTE])
        with span("work") as working:
            working.note({"a": 1})
            working.fail("no matter")
            note({"b": 2})
            assert traceparent() == ""


def test_off_the_time_is_observed_all_the_same_once() -> None:
    seen: list[float] = []
    with span("work", observe=seen.append):
        assert seen == []
    assert len(seen) == 1
    with pytest.raises(ZeroDivisionError), span("work", observe=seen.append):
        raise ZeroDivisionError
    assert len(seen) == 2
    assert min(seen) >= 0


def test_without_the_packages_the_start_is_refused_in_one_line_that_says_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "shared.otlp", None)
    with pytest.raises(SettingsError) as caught, traced(settings("http://127.0.0.1:4318"), service="test"):
        raise AssertionError
    said = str(caught.value)
    assert said.startswith("OTEL_EXPORTER_OTLP_ENDPOINT: ")
    assert "pip install 'freshrate[otel]'" in said
    assert "\n" not in said
    assert not is_on()


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector", "http://collector/?key=1"])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingsError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT: an http or https URL"):
        settings(endpoint)


# On


def test_spans_nest_continue_link_and_carry_what_was_noted(collector: Collector) -> None:
    seen: list[float] = []
    with traced(settings(collector.url), service="freshrate-test"):
        assert is_on()
        outer = span(
            "outer", kind=Kind.CLIENT, parents=[REMOTE, OTHER], attributes={"a": 1}, observe=seen.append
        )
        with outer as working:
            with span("inner"):
                note({"source": "here"})
                inner = traceparent()
            working.note({"b": True})
        with span("alone"):
            pass
    assert not is_on()
    assert len(seen) == 1
    spans = {one.name: one for one in collector.spans}
    outer_sent, inner_sent = spans["outer"], spans["inner"]
    assert (outer_sent.trace, outer_sent.parent) == ("a" * 32, "b" * 16)
    assert outer_sent.links == [("c" * 32, "d" * 16)]
    assert outer_sent.kind == CLIENT
    assert outer_sent.attributes == {"a": 1, "b": True}
    assert outer_sent.service == "freshrate-test"
    assert (inner_sent.trace, inner_sent.parent) == (outer_sent.trace, outer_sent.id)
    assert inner_sent.attributes == {"source": "here"}
    assert inner == f"00-{inner_sent.trace}-{inner_sent.id}-01"
    assert spans["alone"].parent == ""
    assert spans["alone"].trace != outer_sent.trace


def test_a_span_that_an_exception_leaves_has_failed_and_is_observed(collector: Collector) -> None:
    seen: list[float] = []
    with traced(settings(collector.url), service="test"):
        with pytest.raises(ZeroDivisionError), span("broken", observe=seen.append):
            raise ZeroDivisionError("by zero")
        with pytest.raises(KeyboardInterrupt), span("stopped"):
            raise KeyboardInterrupt
        with span("failed") as failing:
            failing.fail("no answer")
    spans = {one.name: one for one in collector.spans}
    assert len(seen) == 1
    assert (spans["broken"].is_failed, spans["broken"].reason) == (True, "ZeroDivisionError: by zero")
    assert (spans["failed"].is_failed, spans["failed"].reason) == (True, "no answer")
    assert not spans["stopped"].is_failed


@pytest.mark.parametrize("sent", ["", "nonsense", "00-" + "0" * 32 + "-" + "b" * 16 + "-01", "x" * 10_000])
def test_a_traceparent_that_cannot_be_read_begins_a_new_trace(collector: Collector, sent: str) -> None:
    with traced(settings(collector.url), service="test"), span("work", parents=[sent]):
        pass
    (work,) = collector.spans
    assert work.parent == ""
    assert int(work.trace, 16)


@pytest.mark.parametrize("unreadable", ["", "nonsense", "00-" + "0" * 32 + "-" + "b" * 16 + "-01"])
def test_traceparents_that_cannot_be_read_are_ignored_beside_those_that_can(
    collector: Collector, unreadable: str
) -> None:
    with traced(settings(collector.url), service="test"):
        with span("work", parents=[unreadable, REMOTE, unreadable, OTHER]):
            pass
        with span("outer"), span("inner", parents=[unreadable]):
            pass
    spans = {one.name: one for one in collector.spans}
    assert (spans["work"].trace, spans["work"].parent) == ("a" * 32, "b" * 16)
    assert spans["work"].links == [("c" * 32, "d" * 16)]
    assert (spans["inner"].trace, spans["inner"].parent) == (spans["outer"].trace, spans["outer"].id)
    assert spans["inner"].links == []


def test_a_caller_that_does_not_sample_is_followed(collector: Collector) -> None:
    with traced(settings(collector.url), service="test"), span("work", parents=[REMOTE[:-1] + "0"]):
        assert traceparent().startswith(REMOTE[:35])
        assert traceparent().endswith("-00")
    assert collector.spans == []


def test_the_sdks_own_variables_keep_working(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    with traced(settings(collector.url), service="test"), span("work"):
        pass
    assert [one.service for one in collector.spans] == ["mine"]
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with traced(settings(collector.url), service="test"), span("unseen"):
        pass
    assert [one.name for one in collector.spans] == ["work"]


def test_a_collector_that_is_away_is_one_line_and_so_is_its_return(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    collector.status = 400
    with capture_logs() as logs, traced(settings(collector.url), service="test"):
        provider = tracing._Process.tracer._provider  # type: ignore[union-attr]
        for _ in range(3):
            with span("lost"):
                pass
            provider.force_flush()
        assert [one["event"] for one in logs] == [
            "traces not sent: OTEL_EXPORTER_OTLP_ENDPOINT does not take them"
        ]
        collector.status = 200
        with span("heard"):
            pass
        provider.force_flush()
    assert [one["event"] for one in logs][1:] == ["traces are sent again"]
    assert [one.name for one in collector.spans] == ["heard"]
    assert caplog.records == []


def test_a_collector_that_hangs_does_not_hold_up_the_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "FLUSH_SECONDS", 0.05)
    collector.answers.clear()
    with capture_logs() as logs:
        with traced(settings(collector.url), service="test"), span("work"):
            pass
        collector.answers.set()
    assert "last traces not sent in time" in [one["event"] for one in logs]

"""Spans by OpenTelemetry, sent over OTLP/HTTP. Imported only where traces are on.

A thread sends them in batches. A collector that is down costs the spans that do not fit into the SDK's bounded queue,
and one line in the log until it is back: the SDK itself would report every batch. Its OTEL_* variables for samplers,
headers, limits and the like are read by the SDK and keep working.
"""

import logging
import os
from collections.abc import Sequence
from threading import Thread
from time import perf_counter
from types import TracebackType
from typing import Self

import structlog
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared import __version__
from shared.tracing import Attributes, Kind, Observe, Span

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 1.0
"""For what is left at the end of the process."""
_KINDS = {
    Kind.INTERNAL: trace.SpanKind.INTERNAL,
    Kind.SERVER: trace.SpanKind.SERVER,
    Kind.CLIENT: trace.SpanKind.CLIENT,
    Kind.CONSUMER: trace.SpanKind.CONSUMER,
}
_W3C = TraceContextTextMapPropagator()
_CHATTY = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal", "urllib3")
"""Loggers that report every batch that was not sent, or span that did not fit."""


class OtlpTracer:
    """See `shared.tracing.Tracer`."""

    def __init__(self, endpoint: str, *, service: str) -> None:
        # From here on the SDK reads its variables itself, in its own order; this one may have come from .env.
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_QuietExporter(OTLPSpanExporter())))
        self._tracer = self._provider.get_tracer("freshrate", __version__)

    def span(
        self,
        name: str,
        *,
        kind: Kind,
        parents: Sequence[str],
        attributes: Attributes | None,
        observe: Observe | None,
    ) -> Span:
        contexts = [_W3C.extract({"traceparent": one}, Context()) for one in parents]
        remote = [trace.get_current_span(one) for one in contexts]
        readable = [one for one in remote if one.get_span_context().is_valid]
        span = self._tracer.start_span(
            name,
            context=trace.set_span_in_context(readable[0], Context()) if readable else None,
            kind=_KINDS[kind],
            links=[trace.Link(one.get_span_context()) for one in readable[1:]],
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        )
        return _OtlpSpan(span, observe)

    def note(self, attributes: Attributes) -> None:
        trace.get_current_span().set_attributes(attributes)

    def traceparent(self) -> str:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get("traceparent", "")

    def close(self) -> None:
        # The SDK would wait for its exporter as long as that tries.
        flushing = Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)
        if flushing.is_alive():
            log.warning("last traces not sent in time", seconds=FLUSH_SECONDS)


class _OtlpSpan:
    """A span that is current within its block."""

    __slots__ = ("_began", "_observe", "_span", "_token")

    def __init__(self, span: trace.Span, observe: Observe | None) -> None:
        self._span = span
        self._observe = observe
        self._began = perf_counter()

    def note(self, attributes: Attributes, /) -> None:
        self._span.set_attributes(attributes)

    def fail(self, reason: str, /) -> None:
        self._span.set_status(trace.StatusCode.ERROR, reason)

    def __enter__(self) -> Self:
        self._token = attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self.fail(f"{type(error).__name__}: {error}")
        detach(self._token)
        self._span.end()
        if self._observe is not None:
            self._observe(perf_counter() - self._began)


class _QuietExporter(SpanExporter):
    """Says once that the collector is away, and once that it is back."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing and not self._is_failing:
            log.warning("traces not sent: OTEL_EXPORTER_OTLP_ENDPOINT does not take them", spans=len(spans))
        elif self._is_failing and not is_failing:
            log.info("traces are sent again")
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _resource(service: str) -> Resource:
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over the name that the process gives itself."""
    resource = Resource.create({SERVICE_VERSION: __version__})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return resource.merge(Resource({SERVICE_NAME: service}))
    return resource

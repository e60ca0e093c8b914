"""A collector of traces for tests: takes OTLP over HTTP, in a thread, so it answers whatever the loop does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.waiting import until

SERVER, CLIENT, CONSUMER = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_CONSUMER


@dataclass(frozen=True)
class Sent:
    """A span as it arrived. Ids in hex, times in nanoseconds since 1970."""

    service: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    attributes: dict[str, Any]
    links: list[tuple[str, str]]
    """Trace and span."""
    is_failed: bool
    reason: str


class Collector:
    """Everything that arrived so far."""

    def __init__(self) -> None:
        self.spans: list[Sent] = []
        self.status = 200
        self.answers = Event()
        """Cleared, the collector hangs."""
        self.answers.set()
        self.url = ""

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _plain(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [_sent(service, span) for span in scope.spans]

    def of(self, trace: str) -> dict[str, Sent]:
        """By name."""
        return {span.name: span for span in self.spans if span.trace == trace}

    async def arrived(self, trace: str, *names: str) -> dict[str, Sent]:
        """The spans of this trace, when these are among them."""

        async def all_there() -> dict[str, Sent]:
            found = self.of(trace)
            return found if found.keys() >= set(names) else {}

        found: dict[str, Sent] = await until(
            all_there, seconds=10, what=f"{names} among {[(one.name, one.trace) for one in self.spans]}"
        )
        return found


def caller(number: int) -> tuple[str, str]:
    """The trace of a client, and the header that it sends."""
    trace = f"{number:032x}"
    return trace, f"00-{trace}-{number:016x}-01"


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.answers.wait(30)
            if collector.status == 200:
                assert self.path == "/v1/traces"
                collector.take(body)
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        collector.answers.set()
        server.shutdown()
        server.server_close()


def _sent(service: str, span: Span) -> Sent:
    return Sent(
        service=service,
        name=span.name,
        kind=span.kind,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        attributes=_plain(span.attributes),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        is_failed=span.status.code == 2,
        reason=span.status.message,
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}

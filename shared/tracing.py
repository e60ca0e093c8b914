"""Timed pieces of work: each is a span of a trace, and where somebody observes it a figure of a histogram.

Like the log there is one tracer per process, set by its main. With OTEL_EXPORTER_OTLP_ENDPOINT empty there is none: a
span then costs some hundred nanoseconds, and OpenTelemetry is not imported. Spans nest by themselves, along the tasks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from time import perf_counter
from types import TracebackType
from typing import Protocol, Self

from shared.errors import SettingsError
from shared.settings import Settings

Attributes = Mapping[str, str | int | float | bool]
Observe = Callable[[float], None]
"""Gets the seconds that a piece of work took."""


class Kind(Enum):
    """A span's place between processes, as OpenTelemetry tells them apart."""

    INTERNAL = auto()
    SERVER = auto()
    CLIENT = auto()
    CONSUMER = auto()


class Span(Protocol):
    """A context manager around the work. An exception that leaves it marks it as failed."""

    def note(self, attributes: Attributes, /) -> None: ...

    def fail(self, reason: str, /) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Tracer(Protocol):
    """What `span`, `note` and `traceparent` ask where traces are on."""

    def span(
        self,
        name: str,
        *,
        kind: Kind,
        parents: Sequence[str],
        attributes: Attributes | None,
        observe: Observe | None,
    ) -> Span: ...

    def note(self, attributes: Attributes) -> None: ...

    def traceparent(self) -> str: ...

    def close(self) -> None: ...


class _NoSpan:
    """Nobody looks."""

    __slots__ = ()

    def note(self, attributes: Attributes, /) -> None: ...

    def fail(self, reason: str, /) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Timed(_NoSpan):
    """Only its time is of interest."""

    __slots__ = ("_began", "_observe")

    def __init__(self, observe: Observe) -> None:
        self._observe = observe
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._observe(perf_counter() - self._began)


class _Process:
    """What is set once for the whole process."""

    tracer: Tracer | None = None


_NO_SPAN = _NoSpan()


def is_on() -> bool:
    """For work that only a trace needs."""
    return _Process.tracer is not None


def span(
    name: str,
    *,
    kind: Kind = Kind.INTERNAL,
    parents: Sequence[str] = (),
    attributes: Attributes | None = None,
    observe: Observe | None = None,
) -> Span:
    """A span below the current one, or below the first of `parents`, with links to the others.

    `parents`: W3C traceparents of other processes; those that cannot be read are ignored. If none can, the span is below
    the current one, and where there is none it begins a new trace.
    """
    tracer = _Process.tracer
    if tracer is not None:
        return tracer.span(name, kind=kind, parents=parents, attributes=attributes, observe=observe)
    return _NO_SPAN if observe is None else _Timed(observe)


def note(attributes: Attributes) -> None:
    """Adds to the current span, whoever has begun it."""
    if _Process.tracer is not None:
        _Process.tracer.note(attributes)


def traceparent() -> str:
    """The current span for another process, as W3C writes it; empty where there is none."""
    return "" if _Process.tracer is None else _Process.tracer.traceparent()


@contextmanager
def traced(settings: Settings, *, service: str) -> Iterator[None]:
    """Traces while the context lasts, where the settings say so; what is left is sent at its end, for a second at most
    (but not where a thread hangs, and the process leaves without it).

    Raises SettingsError where the packages of the extra are missing.
    """
    if not settings.otel_exporter_otlp_endpoint:
        yield
        return
    try:
        from shared.otlp import OtlpTracer  # noqa: PLC0415 - off, its packages are neither needed nor loaded
    except ModuleNotFoundError:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: traces need packages that are not installed: pip install 'freshrate[otel]', "
            "in a checkout .venv/bin/pip install --require-hashes -r deploy/requirements-otel.txt, "
            "for containers REQUIREMENTS=requirements-otel.txt in .env and docker compose build"
        ) from None

    _Process.tracer = tracer = OtlpTracer(settings.otel_exporter_otlp_endpoint, service=service)
    try:
        yield
    finally:
        _Process.tracer = None
        tracer.close()

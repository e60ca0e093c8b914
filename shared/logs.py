"""Structured logs: JSON lines, or a readable console on a terminal.

One line per event on standard error. `request_id` and the like are bound as context variables, so every line that a
request causes carries them. Keys never reach a log: requests are logged without their query and headers.
"""

import json
import logging
import sys

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.settings import Settings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _service(name: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = name
        return event

    return add


def _json(event: EventDict, **_: object) -> str:
    """Whatever a line holds can be written: a log must never end what it reports on. Bytes of a client that are no UTF-8 are
    lone surrogates in a text, which orjson refuses."""
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return json.dumps(event, default=str)


def configure_logs(settings: Settings, *, service: str) -> None:
    """Sets up structlog and sends the standard library's loggers the same way. Called once, by a process's main."""
    is_console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service(service),
    ]
    renderer: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if is_console
        else [
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # locals may hold secrets
            ),
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    )
    level = _LEVELS[settings.log_level]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # A line and its end in one write, so that a reader of an unbuffered stream never sees a part of it.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))

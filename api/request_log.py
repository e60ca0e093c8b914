"""One line per request, without its query and headers: they may hold what nobody should read.

A logger call per request would cost more than the answer itself, so the hot path only appends a tuple; lines are
rendered and written in batches, small enough to delay nobody.
"""

import asyncio
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, TextIO

import orjson

BATCH = 128
"""Lines per write: some 0.2 ms of the loop."""
FLUSH_SECONDS = 0.25


class RequestRecord(NamedTuple):
    """A served request; a named tuple because one is made for each."""

    ended_at: float
    """Seconds since 1970."""
    method: str
    path: str
    status: int
    seconds: float
    request_id: str
    error: str | None = None
    """What a client was told, where it was a problem."""


class RequestLog:
    """Buffers request records and writes them as lines."""

    def __init__(self, stream: TextIO, *, as_json: bool, is_enabled: bool) -> None:
        self._stream = stream
        self._render = _json_line if as_json else _console_line
        self._is_enabled = is_enabled
        self._records: list[RequestRecord] = []
        self._flushing: asyncio.TimerHandle | None = None

    def add(self, record: RequestRecord) -> None:
        if not self._is_enabled:
            return
        self._records.append(record)
        if len(self._records) >= BATCH:
            self.flush()
        elif self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        records, self._records = self._records, []
        if records:
            self._stream.write("".join(self._render(record) for record in records))
            self._stream.flush()


def _json_line(record: RequestRecord) -> str:
    """Put together by hand, at a third of an encoder's price; only the path and the error may need escapes."""
    error = "" if record.error is None else f',"error":{_quoted(record.error)}'
    return (
        f'{{"event":"request","level":"info","service":"api","timestamp":"{_time(record.ended_at)}",'
        f'"method":"{record.method}","path":{_quoted(record.path)},"status":{record.status},'
        f'"duration_ms":{record.seconds * 1000:.3f},"request_id":"{record.request_id}"{error}}}\n'
    )


def _console_line(record: RequestRecord) -> str:
    path = _escaped(record.path)
    error = f" ({_escaped(record.error)})" if record.error else ""
    return (
        f"{_time(record.ended_at)} {record.method} {path} {record.status} "
        f"{record.seconds * 1000:.1f}ms {record.request_id}{error}\n"
    )


def _escaped(text: str) -> str:
    """In one line, and without what moves a terminal's cursor."""
    return text.encode("unicode_escape").decode()


def _quoted(text: str) -> str:
    return orjson.dumps(text.encode(errors="replace").decode()).decode()


def _time(moment: float) -> str:
    second = int(moment)
    return f"{_second(second)}.{int((moment - second) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")

"""An outage in few lines, however often it is met: when it begins, each minute while it lasts, and when it is over.

Of each kind of error, that is: who mends one cause must hear of the next at once.
"""

import time
from collections.abc import Callable

import structlog

REMINDER_SECONDS = 60.0

log = structlog.get_logger(__name__)


class OutageLog:
    """Of one thing that somebody needs again and again. `lost` and `back` are the events, `fields` stand in each line."""

    def __init__(
        self, lost: str, back: str, *, clock: Callable[[], float] = time.monotonic, **fields: str
    ) -> None:
        self._lost = lost
        self._back = back
        self._clock = clock
        self._fields = fields
        self._since: float | None = None
        self._told_at: dict[type[Exception], float] = {}

    def note_failure(self, error: Exception) -> None:
        now = self._clock()
        if self._since is None:
            self._since = now
        told_at = self._told_at.get(type(error))
        if told_at is not None and now - told_at < REMINDER_SECONDS:
            return
        self._told_at[type(error)] = now
        log.warning(self._lost, error=str(error), lasted_seconds=round(now - self._since, 1), **self._fields)

    def note_success(self) -> None:
        if self._since is None:
            return
        log.info(self._back, lasted_seconds=round(self._clock() - self._since, 1), **self._fields)
        self._since = None
        self._told_at.clear()

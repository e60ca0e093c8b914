"""What every process does around its work: settings, logs, traces, uvloop, signals, and expected failures in one line."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from threading import Timer

import structlog
import uvloop

from shared.errors import FreshrateError
from shared.logs import configure_logs
from shared.settings import Settings, read_settings
from shared.tracing import traced

log = structlog.get_logger(__name__)

Serve = Callable[[Settings, asyncio.Event], Awaitable[None]]
"""Works until the event is set, and then ends in order."""
CUT_OFF_SECONDS = 7.0
"""After the signal: what has not ended by then, such as waiting for a database at the start, is cancelled. An orchestrator
would kill the process after 10 s, and a second each may go to closing connections, to threads and to the last traces."""
THREADS_SECONDS = 1.0
"""For threads after the end of the work. A look-up of a name in a network that is silent takes up to 40 s, and nobody waits for
its answer any more."""


def run_process(service: str, serve: Serve, *, requires: Callable[[Settings], None] | None = None) -> int:
    """Runs until SIGTERM or SIGINT. `requires` raises SettingsError where something is not set. Gives the exit code."""
    try:
        settings = read_settings()
        if requires:
            requires(settings)
        configure_logs(settings, service=service)
        with traced(settings, service=_traced_name(service)), _leaving() as leave:
            uvloop.run(_until_signalled(settings, serve, leave))
    except FreshrateError as error:
        sys.stderr.write(f"{service}: {error}\n")
        return 1
    return 0


def _traced_name(service: str) -> str:
    return service if service == "freshrate" else f"freshrate-{service}"


@contextmanager
def _leaving() -> Iterator[Timer]:
    """A timer that ends the process: started when the work is done, stopped where the loop closes in time."""
    timer = Timer(THREADS_SECONDS, os._exit, [0])
    timer.daemon = True
    try:
        yield timer
    finally:
        timer.cancel()


async def _until_signalled(settings: Settings, serve: Serve, leave: Timer) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(serve(settings, stop))

    def end() -> None:
        # Impatient people signal again: the time counts from the first.
        if stop.is_set():
            return
        stop.set()
        loop.call_later(CUT_OFF_SECONDS, work.cancel)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    try:
        await work
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        log.warning("cut off", after_seconds=CUT_OFF_SECONDS)
    leave.start()

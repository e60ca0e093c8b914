"""What every process does around its work: settings, logs, traces, uvloop, signals, and expected failures in one line."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from threading import Timer
from typing import Any

import structlog
import uvloop

from shared.errors import FreshrateError
from shared.logs import configure_logs
from shared.settings import Settings, read_settings
from shared.tracing import traced

log = structlog.get_logger(__name__)

Serve = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set, and then ends in order."""
Open = Callable[[Settings], AbstractAsyncContextManager[Serve]]
"""Opens what serving needs, and waits for what is away; closes it at the end. A signal cancels it at once while it opens,
for there is nothing in hand yet."""
CUT_OFF_SECONDS = 7.0
"""After the signal: what has not ended by then is cancelled. An orchestrator would kill the process after 10 s, and a second
each may go to closing connections, to threads and to the last traces."""
FORCED_SECONDS = 2.0
"""For what was cancelled to end. A server that hangs in the middle of a transaction may hold up its end without limit."""
THREADS_SECONDS = 1.0
"""For threads after the end of the work. A look-up of a name in a network that is silent takes up to 40 s, and nobody waits for
its answer any more."""


def run_process(service: str, opened: Open, *, requires: Callable[[Settings], None] | None = None) -> int:
    """Runs until SIGTERM or SIGINT. `requires` raises SettingsError where something is not set. Gives the exit code."""
    try:
        settings = read_settings()
        if requires:
            requires(settings)
        configure_logs(settings, service=service)
        with traced(settings, service=_traced_name(service)), _leaving() as leave:
            uvloop.run(_until_signalled(settings, opened, leave))
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


def _leave_after(seconds: float, *, code: int) -> None:
    timer = Timer(seconds, os._exit, [code])
    timer.daemon = True
    timer.start()


async def _until_signalled(settings: Settings, opened: Open, leave: Timer) -> None:
    stop, is_open = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_tell)

    async def work() -> None:
        async with opened(settings) as serve:
            is_open.set()
            await serve(stop)

    working = asyncio.ensure_future(work())

    def cut_off() -> None:
        log.warning("cut off", after_seconds=CUT_OFF_SECONDS)
        working.cancel()
        _leave_after(FORCED_SECONDS, code=1)

    def end() -> None:
        # Impatient people signal again: the time counts from the first.
        if stop.is_set():
            return
        stop.set()
        if not is_open.is_set():
            working.cancel()
        loop.call_later(CUT_OFF_SECONDS, cut_off)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    try:
        await working
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    leave.start()


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What no task hears. Where a deadline ends a connecting task, uvloop lets the look-up of the name go on, and nobody
    can take what it ends with."""
    error, future = context.get("exception"), context.get("future")
    if isinstance(error, socket.gaierror) and type(future) is asyncio.Future:
        log.debug("name not found, and nobody waits for it", error=str(error))
    else:
        loop.default_exception_handler(context)

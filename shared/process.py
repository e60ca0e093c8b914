"""What every process does around its work: settings, logs, uvloop, signals, and expected failures in one line."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop

from shared.errors import FreshrateError
from shared.logs import configure_logs
from shared.settings import Settings, read_settings

Serve = Callable[[Settings, asyncio.Event], Awaitable[None]]
"""Works until the event is set, and then ends in order within 10 s."""


def run_process(service: str, serve: Serve, *, requires: Callable[[Settings], None] | None = None) -> int:
    """Runs until SIGTERM or SIGINT. `requires` raises SettingsError where something is not set. Gives the exit code."""
    try:
        settings = read_settings()
        if requires:
            requires(settings)
        configure_logs(settings, service=service)
        uvloop.run(_until_signalled(settings, serve))
    except FreshrateError as error:
        sys.stderr.write(f"{service}: {error}\n")
        return 1
    return 0


async def _until_signalled(settings: Settings, serve: Serve) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop)

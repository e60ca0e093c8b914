"""The life of a stack: servers first, then what needs them; and the end in the opposite order."""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer
from deploy.stack import plan
from deploy.stack.console import Console
from deploy.stack.errors import StackError
from deploy.stack.folder import password
from deploy.stack.process import Kept, Service
from deploy.stack.sources import chosen_sources
from deploy.stack.welcome import welcome
from shared.settings import Settings

DATABASES = ("freshrate", "simulated")
"""Of market prices and of simulated ones, which never mix. Valkey numbers its own the same way."""


async def run(settings: Settings, folder: Path, *, lock: int) -> None:
    """Until SIGINT, SIGTERM or SIGHUP; StackError where a process does not start, or one cannot be stopped."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console = Console(plan.NAMES, on_gone=stop.set)
    stack = Stack(settings, folder, console, lock=lock)
    stopping = asyncio.create_task(stop.wait())
    starting = asyncio.create_task(stack.start())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
        await stopping
        console.say("stopping: API and workers, then what they need")
    finally:
        stopping.cancel()
        left = await stack.stop(starting)
    if left:
        raise StackError(
            f"not everything could be stopped ({', '.join(left)}): the next start on {folder} "
            "says how to end what is left."
        )
    console.say("stopped; nothing is left running")


class Stack:
    """The processes, in the order in which they started."""

    def __init__(self, settings: Settings, folder: Path, console: Console, *, lock: int) -> None:
        self._settings = settings
        self._folder = folder
        self._console = console
        self._lock = lock
        self._servers: list[Kept] = []
        self._applications: list[Kept] = []

    async def start(self) -> None:
        """Returns when everything is ready."""
        began = time.monotonic()
        settings, choice = self._settings, chosen_sources(self._settings)
        ports = plan.chosen_ports(settings)
        secret = password(self._folder)
        postgresql = PostgresServer(
            durable=True, port=ports.postgresql, folder=self._folder / "postgresql", password=secret
        )
        valkey = ValkeyServer(self._folder / "valkey", port=ports.valkey, is_durable=True, password=secret)
        database = DATABASES[choice.is_simulated]
        number = DATABASES.index(database)
        self._console.say(
            welcome(
                settings,
                choice,
                ports,
                self._folder,
                database=postgresql.address(database),
                redis=valkey.address(number),
            )
        )
        servers = await asyncio.to_thread(plan.servers, postgresql, valkey)
        if not postgresql.data.is_relative_to(self._folder.absolute()):
            self._console.say(
                f"PostgreSQL's data are in {postgresql.data}: its user cannot enter {self._folder}"
            )
        if choice.starts_simulator:
            servers = (*servers, plan.simulator(ports))
        await self._start(servers, self._servers)
        await asyncio.to_thread(postgresql.ensure_database, database)
        env = plan.environment(
            settings,
            choice,
            ports,
            database=postgresql.url(database),
            redis=valkey.url_of(number),
            is_terminal=sys.stdout.isatty(),
        )
        await self._start(plan.applications(settings, ports, env), self._applications)
        self._console.say(f"everything runs, {time.monotonic() - began:.1f} s after the start")

    async def stop(self, starting: "asyncio.Task[None]") -> list[str]:
        """Ends what runs; what was about to start does not. Gives the names of those that could not be stopped."""
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        left = await self._stop(*self._applications)
        for one in reversed(self._servers):
            left += await self._stop(one)
        # A cluster that is being made is waited for.
        await asyncio.get_running_loop().shutdown_default_executor()
        return left

    async def _stop(self, *kept: Kept) -> list[str]:
        """All at once; gives the names of those that still run."""
        ends = await asyncio.gather(*(one.stop() for one in kept), return_exceptions=True)
        left = []
        for one, end in zip(kept, ends, strict=True):
            if one.child is not None:
                self._console.say(f"{one.service.name} could not be stopped: {end}")
                left.append(one.service.name)
        return left

    async def _start(self, services: Sequence[Service], kept: list[Kept]) -> None:
        kept += [Kept(service, self._console, lock=self._lock) for service in services]
        await asyncio.gather(*(one.start() for one in kept))

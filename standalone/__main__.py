"""python -m standalone: API and worker in one process, on SQLite and an in-process queue; no server, no account."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from api.app import create_app
from api.serving import serve_app
from shared.opening import World, open_world
from shared.process import Serve, run_process
from shared.settings import Settings
from standalone.fallback import settings_that_work
from worker.run import run_worker

DRAIN = 1.0
"""Seconds for the worker at a stop: the API has ended before, so nobody waits for it any more."""


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Serve]:
    async with settings_that_work(settings) as working, open_world(working) as world:
        app = create_app(
            settings=world.settings,
            storage=world.storage,
            queue=world.queue,
            visitor=world.visitor,
            clock=world.clock,
            registry=world.registry,
        )
        yield partial(serve, app, world)


async def serve(app: web.Application, world: World, stop: asyncio.Event) -> None:
    """The API ends first, so no request waits for a worker that is gone; a worker that breaks ends the API."""
    worker_stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(world, worker_stop, drain=DRAIN), name="worker")
    worker.add_done_callback(lambda _task: stop.set())
    try:
        await serve_app(app, world.settings, stop)
    finally:
        worker_stop.set()
        await worker


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m standalone", description=__doc__).parse_args()
    sys.exit(run_process("freshrate", opened))

"""python -m standalone: API and worker in one process, on SQLite and an in-process queue; no server, no account."""

import asyncio
import signal
import sys

import structlog
import uvloop

from api.app import create_app
from api.serving import serve_app
from shared.errors import FreshrateError
from shared.logs import configure_logs
from shared.opening import World, open_world
from shared.settings import Settings, read_settings
from standalone.fallback import settings_that_work
from worker.run import run_worker

log = structlog.get_logger(__name__)


async def serve(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT. The API ends first, so no request waits for a worker that is gone."""
    stop, worker_stop = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    async with settings_that_work(settings) as (working, is_simulated), open_world(working) as world:
        worker = asyncio.create_task(run_worker(world, worker_stop), name="worker")
        worker.add_done_callback(lambda _task: stop.set())
        try:
            await _serve_api(world, stop, is_simulated=is_simulated)
        finally:
            worker_stop.set()
            await worker


async def _serve_api(world: World, stop: asyncio.Event, *, is_simulated: bool) -> None:
    app = create_app(
        settings=world.settings,
        storage=world.storage,
        queue=world.queue,
        visitor=world.visitor,
        clock=world.clock,
        registry=world.registry,
        is_simulated=is_simulated,
    )
    await serve_app(app, world.settings, stop)


def main() -> int:
    try:
        settings = read_settings()
        configure_logs(settings, service="freshrate")
        uvloop.run(serve(settings))
    except FreshrateError as error:
        sys.stderr.write(f"freshrate: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

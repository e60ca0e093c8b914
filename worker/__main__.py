"""python -m worker: one worker process. python -m worker --check: is it alive? (exit 0 or 1)."""

import argparse
import asyncio
import signal
import sys

import uvloop

from shared.errors import FreshrateError
from shared.logs import configure_logs
from shared.opening import open_world, require_servers
from shared.settings import Settings, read_settings
from worker.heartbeat import living_workers
from worker.metrics import serve_metrics
from worker.run import run_worker


async def serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    async with open_world(settings) as world, serve_metrics(settings, world.registry):
        await run_worker(world, stop)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="is a worker of WORKER_ROLES alive on this machine?"
    )
    arguments = parser.parse_args()
    try:
        settings = read_settings()
        if arguments.check:
            return 0 if living_workers(settings.worker_roles) else 1
        require_servers(settings)
        configure_logs(settings, service="worker")
        uvloop.run(serve(settings))
    except FreshrateError as error:
        sys.stderr.write(f"freshrate worker: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

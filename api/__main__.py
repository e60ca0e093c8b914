"""python -m api: the API process. Needs PostgreSQL and Redis; everything by the environment."""

import asyncio
import signal
import sys

import uvloop

from api.app import create_app
from api.serving import serve_app
from shared.errors import FreshrateError
from shared.logs import configure_logs
from shared.opening import open_world, require_servers
from shared.settings import Settings, read_settings


async def serve(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    async with open_world(settings) as world:
        app = create_app(
            settings=world.settings,
            storage=world.storage,
            queue=world.queue,
            visitor=world.visitor,
            clock=world.clock,
            registry=world.registry,
            is_simulated=settings.sources == ("simulator",),
        )
        await serve_app(app, settings, stop)


def main() -> int:
    try:
        settings = read_settings()
        require_servers(settings)
        configure_logs(settings, service="api")
        uvloop.run(serve(settings))
    except FreshrateError as error:
        sys.stderr.write(f"freshrate api: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

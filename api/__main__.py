"""python -m api: the API process. Needs PostgreSQL and Redis; everything by the environment."""

import asyncio
import sys

from api.app import create_app
from api.serving import serve_app
from shared.opening import open_world, require_servers
from shared.process import run_process
from shared.settings import Settings


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    async with open_world(settings) as world:
        app = create_app(
            settings=world.settings,
            storage=world.storage,
            queue=world.queue,
            visitor=world.visitor,
            clock=world.clock,
            registry=world.registry,
            is_simulated="simulator" in settings.sources,
        )
        await serve_app(app, settings, stop)


if __name__ == "__main__":
    sys.exit(run_process("api", serve, requires=require_servers))

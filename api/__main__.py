"""python -m api: the API process. Needs PostgreSQL and Redis; everything by the environment."""

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from api.app import create_app
from api.serving import serve_app
from shared.opening import open_world, require_servers
from shared.process import Serve, run_process
from shared.settings import Settings


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Serve]:
    async with open_world(settings) as world:
        app = create_app(
            settings=world.settings,
            storage=world.storage,
            queue=world.queue,
            visitor=world.visitor,
            clock=world.clock,
            registry=world.registry,
        )
        yield partial(serve_app, app, settings)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m api", description=__doc__).parse_args()
    sys.exit(run_process("api", opened, requires=require_servers))

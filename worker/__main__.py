"""python -m worker: one worker process. python -m worker --check: is it alive? (exit 0 or 1)."""

import argparse
import asyncio
import sys

from shared.errors import SettingsError
from shared.settings import Settings, read_settings
from worker.heartbeat import living_workers


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    # An orchestrator checks every few seconds: without what only serving needs, a check costs half the time.
    from shared.opening import open_world  # noqa: PLC0415
    from worker.metrics import serve_metrics  # noqa: PLC0415
    from worker.run import run_worker  # noqa: PLC0415

    async with open_world(settings) as world, serve_metrics(settings, world.registry):
        await run_worker(world, stop)


def run() -> int:
    from shared.opening import require_servers  # noqa: PLC0415 - as above
    from shared.process import run_process  # noqa: PLC0415 - as above

    return run_process("worker", serve, requires=require_servers)


def check() -> int:
    try:
        return 0 if living_workers(read_settings().worker_roles) else 1
    except SettingsError as error:
        sys.stderr.write(f"worker: {error}\n")
        return 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="is a worker of WORKER_ROLES alive on this machine?"
    )
    return check() if parser.parse_args().check else run()


if __name__ == "__main__":
    sys.exit(main())

"""python -m worker: one worker process. python -m worker --check: is it alive? (exit 0 or 1)."""

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from shared.errors import SettingsError
from shared.settings import Settings, read_settings
from worker.heartbeat import FILE_TOO_OLD, living_workers, signs_folder

if TYPE_CHECKING:
    from shared.process import Serve


@asynccontextmanager
async def opened(settings: Settings) -> "AsyncIterator[Serve]":
    # An orchestrator checks every few seconds: without what only serving needs, a check costs half the time.
    from shared.opening import open_world  # noqa: PLC0415
    from worker.metrics import serve_metrics  # noqa: PLC0415
    from worker.run import run_worker  # noqa: PLC0415

    async with open_world(settings) as world, serve_metrics(settings, world.registry):
        yield partial(run_worker, world)


def run() -> int:
    from shared.opening import require_servers  # noqa: PLC0415 - as above
    from shared.process import run_process  # noqa: PLC0415 - as above

    return run_process("worker", opened, requires=require_servers)


def check() -> int:
    try:
        settings = read_settings()
    except SettingsError as error:
        sys.stderr.write(f"worker: {error}\n")
        return 1
    if living_workers(settings.command_roles):
        return 0
    sys.stderr.write(
        f"worker: no sign of life of {','.join(settings.worker_roles)} in {signs_folder()} within {FILE_TOO_OLD:g} s: check as the worker's "
        "user, with its temporary folder (TMPDIR) and its WORKER_ROLES.\n"
    )
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="is a worker of WORKER_ROLES alive on this machine?"
    )
    return check() if parser.parse_args().check else run()


if __name__ == "__main__":
    sys.exit(main())

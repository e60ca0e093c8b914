"""python -m deploy.stack: PostgreSQL, Valkey, the API and the workers on this machine, without Docker."""

import argparse
import asyncio
import sys
from contextlib import ExitStack
from pathlib import Path

from deploy.servers.launch import ServerFailed
from deploy.stack.errors import StackError
from deploy.stack.folder import claimed
from deploy.stack.run import run
from shared.errors import FreshrateError
from shared.settings import read_settings

_ENDED_BY_CTRL_C = 130
"""What a shell says of it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.stack", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path("data/stack"), help="where the data are kept, default %(default)s"
    )
    folder: Path = parser.parse_args().data
    try:
        with ExitStack() as held:
            try:
                settings = read_settings()
                lock = held.enter_context(claimed(folder))
            except KeyboardInterrupt:
                sys.stderr.write("stack: stopped before anything was started\n")
                return _ENDED_BY_CTRL_C
            asyncio.run(run(settings, folder, lock=lock))
    except (FreshrateError, StackError, ServerFailed, OSError) as error:
        sys.stderr.write(f"stack: {error}\n")
        return 1
    except KeyboardInterrupt:
        # A running stack takes the signal itself: nothing runs yet, or all has ended, in the stack's own words.
        return _ENDED_BY_CTRL_C
    return 0


if __name__ == "__main__":
    sys.exit(main())

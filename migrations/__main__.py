"""python -m migrations: applies the pending steps by hand, to the database of the settings."""

import asyncio
import sys

from migrations.head import head_revision
from migrations.upgrade import upgrade
from shared.errors import FreshrateError
from shared.settings import read_settings


def main() -> int:
    try:
        asyncio.run(upgrade(read_settings().database))
    except FreshrateError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"The database schema is at {head_revision()}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

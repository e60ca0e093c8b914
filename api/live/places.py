"""How many streams a process may hold open: each is a connection, and a process may have only so many open files."""

import resource
from contextlib import suppress

MOST_CLIENTS = 10_000
KEPT_FILES = 256
"""For requests, the database, Redis and logs."""


def places() -> int:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CLIENTS
    return max(0, min(MOST_CLIENTS, soft - KEPT_FILES))


def raise_limit_of_files() -> None:
    """To what the system allows this process, where it does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS and sandboxes name a limit that they then refuse
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

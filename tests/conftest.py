"""Fixtures of all tests: real servers, one of each per test process."""

import os

import pytest
import structlog

# Left to itself structlog draws tracebacks with whatever is installed for that, which takes a busy machine a third of a second
# in the event loop. No process of ours does so.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)
pytest_plugins = ["tests.servers"]
LONGEST = ("tests/e2e/test_schema.py", "tests/bench/", "tests/e2e/", "tests/deploy/")
"""Parts of paths; what is in none of them takes less."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills",
        type=int,
        default=12,
        metavar="N",
        help="how often API processes are killed in the middle of an upload (default: %(default)s)",
    )
    parser.addoption(
        "--clients",
        type=int,
        default=100,
        metavar="N",
        help="how many clients listen to the streams of one process (default: %(default)s)",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take longest are dealt among the processes of the tests, each of which begins with its part of the list where
    they run with `--dist worksteal`: nobody should wait for a long one at the end."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    longest = sorted((item for item in items if _place(item) < len(LONGEST)), key=_place)
    others = [item for item in items if _place(item) == len(LONGEST)]
    size = -(-len(others) // processes)
    items[:] = [
        item
        for number in range(processes)
        for item in (*longest[number::processes], *others[number * size : (number + 1) * size])
    ]


def _place(item: pytest.Item) -> int:
    path = item.path.as_posix()
    return next((place for place, part in enumerate(LONGEST) if part in path), len(LONGEST))

"""Fixtures of all tests: real servers, one of each per test process."""

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
    """Those that start processes come first: they take longest, and nobody should wait for one of them at the end."""
    items.sort(key=lambda item: "tests/e2e/" not in item.path.as_posix())

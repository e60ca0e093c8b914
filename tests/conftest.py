"""Fixtures of all tests: real servers, one of each per test process."""

import pytest

pytest_plugins = ["tests.servers"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills",
        type=int,
        default=30,
        metavar="N",
        help="how often API processes are killed in the middle of an upload (default: %(default)s)",
    )

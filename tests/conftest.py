"""Fixtures of all tests: real servers, one of each per test process."""

pytest_plugins = ["tests.servers"]

"""The servers of the tests: one of each per test process. A test gets a database of its own, and Valkey empty."""

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer

PROJECT = Path(__file__).parents[1]


@functools.cache
def _migrated_sqlite() -> bytes:
    with tempfile.TemporaryDirectory(prefix="freshrate-test-") as name:
        file = Path(name) / "template.db"
        subprocess.run(
            [sys.executable, "-m", "migrations"],
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{file}"},
            check=True,
        )
        return file.read_bytes()


def sqlite_url(file: Path) -> str:
    """The URL of a migrated database in this file, which is made where there is none: to run every step of the schema takes
    longer than most tests."""
    if not file.exists():
        file.write_bytes(_migrated_sqlite())
    return f"sqlite:///{file}"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """For PostgreSQL's data. Pytest's own folders are closed to the user that serves for root where user namespaces
    are not allowed."""
    with tempfile.TemporaryDirectory(prefix="freshrate-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresServer]:
    """The server of this test process. Who stops or pauses it brings it back."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: PostgresServer) -> str:
    """The name of a migrated database that nobody connects to, for clones."""
    name = postgresql_server.create_database()
    subprocess.run(
        [sys.executable, "-m", "migrations"],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": postgresql_server.url(name)},
        check=True,
    )
    return name


@pytest.fixture
def postgresql_url(postgresql_server: PostgresServer, postgresql_template: str) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    name = postgresql_server.create_database(template=postgresql_template)
    yield postgresql_server.url(name)
    postgresql_server.drop_database(name)


@pytest.fixture
def empty_postgresql_url(postgresql_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh database without any table."""
    name = postgresql_server.create_database()
    yield postgresql_server.url(name)
    postgresql_server.drop_database(name)


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """The server of this test process. Who kills or pauses it brings it back."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_url(valkey_server: ValkeyServer) -> str:
    """The URL of an empty database."""
    valkey_server.ask("FLUSHALL")
    return valkey_server.url

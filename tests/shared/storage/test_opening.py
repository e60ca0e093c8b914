"""Opening the storage: from a new, an old and a missing database, and what each failure says."""

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.servers.postgresql import PostgresServer
from shared.errors import SchemaOutdated, SettingsError, StorageUnavailable
from shared.settings import Settings
from shared.storage import open_storage
from tests.servers import PROJECT

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT_ONCE = timedelta(0)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/folder/freshrate.db"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


async def test_a_new_database_is_migrated_at_start(empty: str) -> None:
    for _ in range(2):
        storage = await open_storage(Settings(database_url=empty), clock=lambda: NOW)
        assert [currency.symbol for currency in await storage.catalog()] == ["USD"]
        await storage.close()


async def test_a_new_database_has_its_first_partitions(
    empty_postgresql_url: str, postgresql_server: PostgresServer
) -> None:
    storage = await open_storage(Settings(database_url=empty_postgresql_url), clock=lambda: NOW)
    await storage.close()
    made = postgresql_server.execute(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'rates'::regclass",
        database=empty_postgresql_url.rpartition("/")[2],
    )
    assert made == "4"


async def test_the_first_start_leaves_no_error_in_the_log_of_the_server() -> None:
    server = PostgresServer()
    server.start()
    try:
        log = server.launch().folder / "postgresql.log"
        storage = await open_storage(Settings(database_url=server.url("postgres")))
        await storage.close()
        server.stop()
        assert "database system is shut down" in log.read_text()
        assert "ERROR" not in log.read_text()
    finally:
        server.remove()


async def test_an_old_schema_stops_the_start_where_it_may_not_be_migrated(empty: str) -> None:
    for _ in range(2):
        with pytest.raises(SchemaOutdated) as caught:
            await open_storage(Settings(database_url=empty, migrate_on_start=False))
        assert "run python -m migrations, or set MIGRATE_ON_START=true" in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_a_schema_of_a_newer_version_is_taken_as_it_is(
    postgresql_url: str, postgresql_server: PostgresServer
) -> None:
    postgresql_server.execute(
        "UPDATE alembic_version SET version_num = '9999'", database=postgresql_url.rpartition("/")[2]
    )
    storage = await open_storage(Settings(database_url=postgresql_url, migrate_on_start=False))
    assert await storage.last_rates() == []
    await storage.close()


async def test_a_database_that_is_away_is_waited_for(postgresql_server: PostgresServer) -> None:
    server = PostgresServer()
    server.start()
    url = server.url(server.create_database())
    server.stop()
    opening = asyncio.create_task(open_storage(Settings(database_url=url)))
    try:
        await asyncio.sleep(0.3)
        assert not opening.done()
        server.start()
        async with asyncio.timeout(5):
            storage = await opening
        await storage.close()
    finally:
        server.remove()


async def test_a_database_that_stays_away_is_named_without_its_password() -> None:
    url = "postgresql://me:hush%2Fhush@127.0.0.1:1/rates?password=secret"
    started = time.monotonic()
    with pytest.raises(StorageUnavailable) as caught:
        await open_storage(Settings(database_url=url), patience=timedelta(seconds=0.3))
    assert 0.1 < time.monotonic() - started < 3
    assert str(caught.value).startswith("PostgreSQL at 127.0.0.1:1/rates does not answer")
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [(("/test", "/nothing"), "does not exist"), (("freshrate@", "nobody@"), "does not exist")],
)
async def test_a_refusal_of_the_server_is_not_waited_out(
    postgresql_url: str, change: tuple[str, str], reason: str
) -> None:
    started = time.monotonic()
    with pytest.raises(SettingsError, match=reason) as caught:
        await open_storage(Settings(database_url=postgresql_url.replace(*change)))
    assert str(caught.value).startswith("DATABASE_URL: PostgreSQL at 127.0.0.1:")
    assert time.monotonic() - started < 2


async def test_a_url_that_the_driver_cannot_read_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL: not a URL") as caught:
        await open_storage(Settings(database_url="postgresql://me:secret@host:port/rates"))
    assert "secret" not in str(caught.value)


async def test_a_storage_that_could_not_be_migrated_is_closed(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/freshrate.db", migrate_on_start=False)
    with pytest.raises(SchemaOutdated):
        await open_storage(settings)
    storage = await open_storage(settings.model_copy(update={"migrate_on_start": True}))
    await storage.close()


def test_alembic_is_imported_only_where_something_is_pending(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from shared.settings import Settings
from shared.storage import open_storage

async def main():
    storage = await open_storage(Settings(database_url=sys.argv[1]))
    await storage.close()
    print("alembic" in sys.modules, "sqlalchemy" in sys.modules)

asyncio.run(main())
"""
    command = [sys.executable, "-c", program, f"sqlite:///{tmp_path}/freshrate.db"]
    outputs = [
        subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert outputs == ["True True\n", "False False\n"]

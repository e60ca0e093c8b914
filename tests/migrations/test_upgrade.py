"""The steps: complete, in order, and applied once however many processes start together."""

import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from deploy.servers.postgresql import PostgresServer
from migrations.head import VERSIONS, head_revision
from migrations.upgrade import configuration, upgrade
from shared.errors import StorageUnavailable
from tests.servers import PROJECT


async def apply_by_hand(database: str) -> tuple[int, str]:
    """The exit code and the output of python -m migrations."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "migrations",
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def test_the_newest_file_is_the_head_that_alembic_sees() -> None:
    scripts = ScriptDirectory.from_config(configuration("sqlite"))
    assert scripts.get_heads() == [head_revision()]


def test_every_file_is_numbered_by_its_revision() -> None:
    scripts = ScriptDirectory.from_config(configuration("sqlite"))
    numbered = {file.name[:4] for file in VERSIONS.glob("*.py")}
    assert {script.revision for script in scripts.walk_revisions()} == numbered


async def test_eight_processes_migrate_one_postgresql_at_once(
    empty_postgresql_url: str, postgresql_server: PostgresServer
) -> None:
    done = await asyncio.gather(*(apply_by_hand(empty_postgresql_url) for _ in range(8)))
    assert done == [(0, f"The database schema is at {head_revision()}.\n")] * 8
    database = empty_postgresql_url.rpartition("/")[2]
    assert (
        postgresql_server.execute("SELECT version_num FROM alembic_version", database=database)
        == head_revision()
    )
    assert postgresql_server.execute("SELECT count(*) FROM currencies", database=database) == "1"


async def test_eight_processes_migrate_one_sqlite_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "freshrate.db"
    done = await asyncio.gather(*(apply_by_hand(f"sqlite:///{path}") for _ in range(8)))
    assert done == [(0, f"The database schema is at {head_revision()}.\n")] * 8
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (head_revision(),)
        ]


@pytest.mark.parametrize(
    ("sources", "kind"), [((), []), (("simulator",), [1]), (("coinmarketcap", "simulator"), [0])]
)
async def test_a_database_that_has_rates_is_for_the_real_ones_where_it_holds_any(
    tmp_path: Path, sources: tuple[str, ...], kind: list[int]
) -> None:
    path = tmp_path / "freshrate.db"
    await upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE kind_of_rates")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        for source in sources:
            connection.execute(
                "INSERT INTO last_rates (currency_id, source, rate_id, price_usd, observed_at, fetched_at, stored_at) "
                "VALUES (2781, ?, 1, '1', 0, 0, 0)",
                (source,),
            )
    await upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert [row[0] for row in connection.execute("SELECT is_simulated FROM kind_of_rates")] == kind


async def test_a_step_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "freshrate.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE visits (in_the_way)")
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        await upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("visits",)]


async def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "freshrate.db"
    await upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


async def test_a_database_that_is_away_is_said_in_one_line() -> None:
    with pytest.raises(StorageUnavailable, match=r"PostgreSQL at 127\.0\.0\.1:1/x does not answer"):
        await upgrade("postgresql://me:secret@127.0.0.1:1/x")
    code, output = await apply_by_hand("postgresql://me:secret@127.0.0.1:1/x")
    assert code == 1
    assert output.count("\n") == 1
    assert "secret" not in output


async def test_a_wrong_setting_is_said_in_one_line() -> None:
    code, output = await apply_by_hand("mysql://host/x")
    assert code == 1
    assert output.startswith("DATABASE_URL: ")

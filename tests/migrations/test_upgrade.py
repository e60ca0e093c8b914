"""The steps: complete, in order, and applied once however many processes start together."""

import asyncio
import io
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from deploy.servers.postgresql import PostgresServer
from migrations.head import VERSIONS, head_revision
from migrations.upgrade import LOCK_KEY, Patience, configuration, upgrade
from shared.domain.currency import FIRST_LOCAL_ID, CurrencyProfile
from shared.domain.identity import DecidedBy, Identity, SourceCoin
from shared.domain.times import EPOCH
from shared.errors import StorageUnavailable
from shared.settings import Settings
from shared.storage import open_storage
from tests.contract.storage.deals import deal, load
from tests.servers import PROJECT
from tests.waiting import until


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


def steps(dialect: str, *, to: str) -> str:
    """The SQL that leads from nothing to a schema that was once the newest."""
    output = io.StringIO()
    command.upgrade(configuration(dialect, output), to, sql=True)
    return output.getvalue()


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
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(steps("sqlite", to="0001"))
        for source in sources:
            connection.execute(
                "INSERT INTO last_rates (currency_id, source, rate_id, price_usd, observed_at, fetched_at, stored_at) "
                "VALUES (2781, ?, 1, '1', 0, 0, 0)",
                (source,),
            )
    await upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert [row[0] for row in connection.execute("SELECT is_simulated FROM kind_of_rates")] == kind


OF_0002 = """
    INSERT INTO currencies (id, kind, symbol, name, slug, is_active, symbol_folded, text_folded)
    VALUES (1, 'crypto', 'BTC', 'Bitcoin', 'bitcoin', true, 'btc', 'bitcoin');
    INSERT INTO currency_aliases (source, source_id, currency_id, decided_by, decided_at)
    VALUES ('cryptocompare', '1182', 1, 'hand', {time});
    INSERT INTO rankings (source, observed_at, stored_at, currency_ids)
    VALUES ('cryptocompare', {time}, {time}, {ids});
    INSERT INTO last_rates (currency_id, source, rate_id, price_usd, observed_at, fetched_at, stored_at)
    VALUES (1, 'coinmarketcap', 1, '42885.00187617128', {time}, {time}, {time});
"""
"""Rows of the tables that the steps after it change, and one that they must leave alone."""
CHANGED = ("currency_aliases", "rankings", "currencies")
"""Tables that were there in 0002, and that the steps after it change."""


async def check_that_all_is_kept(database: str) -> None:
    """And that what the steps brought works."""
    storage = await open_storage(Settings(database_url=database))
    try:
        assert await storage.aliases("cryptocompare") == {"1182": 1}
        assert await storage.symbols("cryptocompare", [1]) == {}
        ranking = await storage.last_ranking()
        assert ranking is not None
        assert (ranking.currency_ids, ranking.observed_at, ranking.is_whole) == ((1, 2781), EPOCH, False)
        assert [rate.price_usd for rate in await storage.last_rates()] == [Decimal("42885.00187617128")]
        coin = SourceCoin(source_id="9", symbol="NEW", name="New")
        local = await storage.record_identities(
            "cryptocompare", [Identity(coin, None, DecidedBy.NONE)], decided_at=EPOCH
        )
        assert local == {"9": FIRST_LOCAL_ID}
        bitcoin = await storage.currency(1)
        assert bitcoin is not None
        assert (bitcoin.profile, bitcoin.profiled_at) == (CurrencyProfile(), None)
        await storage.record_profiles({1: CurrencyProfile(tags=("pow",))}, profiled_at=EPOCH)
        assert (await storage.descriptions([1]))[1].profile.tags == ("pow",)
        await storage.record_demand({1: EPOCH, FIRST_LOCAL_ID: EPOCH})
        assert await storage.in_demand_since(EPOCH, limit=9) == [1, FIRST_LOCAL_ID]
        assert await storage.current_upload() is None
        upload = await load(storage, deal("anna"))
        assert await storage.current_upload() == upload.id
    finally:
        await storage.close()


async def test_a_sqlite_file_with_data_comes_from_0002_to_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "freshrate.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(steps("sqlite", to="0002"))
        connection.executescript(OF_0002.format(time="0", ids="'[1, 2781]'"))
    await check_that_all_is_kept(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (head_revision(),)
        ]


@pytest.fixture
async def of_0002(empty_postgresql_url: str) -> str:
    """A PostgreSQL of an older version, with data."""
    connection = await asyncpg.connect(empty_postgresql_url)
    await connection.execute(steps("postgresql", to="0002"))
    await connection.execute(OF_0002.format(time="'1970-01-01Z'", ids="'{1, 2781}'"))
    await connection.close()
    return empty_postgresql_url


async def test_a_postgresql_with_data_comes_from_0002_to_the_newest(of_0002: str) -> None:
    await check_that_all_is_kept(of_0002)
    connection = await asyncpg.connect(of_0002)
    version = await connection.fetchval("SELECT version_num FROM alembic_version")
    await connection.close()
    assert version == head_revision()


async def test_no_table_of_a_postgresql_is_rewritten(of_0002: str) -> None:
    """A table that is rewritten is closed to all for as long as that takes, and gets a new file."""
    connection = await asyncpg.connect(of_0002)

    async def files() -> dict[str, int]:
        rows = await connection.fetch(
            "SELECT relname, relfilenode FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return {row[0]: row[1] for row in rows}

    before = await files()
    await upgrade(of_0002)
    after = await files()
    await connection.close()
    assert set(CHANGED) <= set(before)
    assert {table: after[table] for table in before} == before


BY_0003 = """
    INSERT INTO currencies (id, kind, symbol, name, slug, rank, is_active, first_seen, platform, sign,
                            symbol_folded, text_folded, renewed_at)
    VALUES (7, 'crypto', 'OLD', 'Old', 'old', 7, true, NULL, NULL, NULL, 'old', 'old', NULL)
"""
"""As the version of 0003 adds a currency."""


async def test_a_process_of_the_version_before_adds_currencies_to_the_newest_schema(
    empty_postgresql_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "freshrate.db"
    for database in (empty_postgresql_url, f"sqlite:///{file}"):
        await upgrade(database)
    connection = await asyncpg.connect(empty_postgresql_url)
    await connection.execute(BY_0003)
    await connection.close()
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute(BY_0003)
    for database in (empty_postgresql_url, f"sqlite:///{file}"):
        storage = await open_storage(Settings(database_url=database))
        added = await storage.currency(7)
        await storage.close()
        assert added is not None
        assert (added.currency.name, added.profile, added.profiled_at) == ("Old", CurrencyProfile(), None)


@asynccontextmanager
async def long_read(database: str, table: str) -> AsyncIterator[None]:
    """As of a backup: a transaction that has read a table and stays open."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            await connection.fetch(f"SELECT * FROM {table}")
            yield
    finally:
        await connection.close()


async def until_waiting(observer: "asyncpg.Connection[asyncpg.Record]", mode: str) -> None:
    """Until somebody waits for a lock of this mode in this database."""

    async def is_waiting() -> bool:
        return bool(
            await observer.fetchval(
                """
                SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = $1
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """,
                mode,
            )
        )

    await until(is_waiting, seconds=20, what=f"a wait for {mode}")


@pytest.mark.parametrize("table", CHANGED)
async def test_an_upgrade_behind_a_long_read_lets_others_read_and_goes_through_after_it(
    of_0002: str, table: str
) -> None:
    observer = await asyncpg.connect(of_0002)
    async with long_read(of_0002, table):
        patience = Patience(lock_seconds=0.5, tries=1000, pause_seconds=0.01)
        upgrading = asyncio.create_task(upgrade(of_0002, patience=patience))
        # The reader that waits behind the step that waits.
        await observer.execute("SET statement_timeout = '10s'")
        for other in CHANGED:
            await until_waiting(observer, "AccessExclusiveLock")
            assert await observer.fetch(f"SELECT * FROM {other}")
        assert not upgrading.done()
    await upgrading
    await observer.close()
    await check_that_all_is_kept(of_0002)


async def test_an_upgrade_gives_up_where_others_hold_on_and_changes_nothing(of_0002: str) -> None:
    async with long_read(of_0002, "rankings"):
        patience = Patience(lock_seconds=0.05, tries=2, pause_seconds=0.01)
        with pytest.raises(
            StorageUnavailable, match=r"keeps its old schema.*end them.*start again"
        ) as raised:
            await upgrade(of_0002, patience=patience)
    assert "does not answer" not in str(raised.value)
    connection = await asyncpg.connect(of_0002)
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "0002"
    assert "symbol" not in dict(await connection.fetchrow("SELECT * FROM currency_aliases") or {})
    await connection.close()


async def test_who_finds_another_upgrade_under_way_waits_for_it_however_long(of_0002: str) -> None:
    """Only tables are waited for briefly."""
    observer = await asyncpg.connect(of_0002)
    async with observer.transaction():
        await observer.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
        patience = Patience(lock_seconds=0.001, tries=1, pause_seconds=0)
        upgrading = asyncio.create_task(upgrade(of_0002, patience=patience))
        await until_waiting(observer, "ExclusiveLock")
        # Many times the limit.
        await observer.execute("SELECT pg_sleep(0.1)")
        assert not upgrading.done()
    await upgrading
    await observer.close()
    await check_that_all_is_kept(of_0002)


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

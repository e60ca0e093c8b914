"""Applies the pending steps, in one transaction and under a lock, so any number of processes may start at once.

Alembic orders the steps and writes their SQL (its offline mode); the drivers of the storage execute it. So the lock,
the reading of the version, the steps and the new version share one connection, and SQLAlchemy needs no driver of its
own. The import costs half a second and 40 MB: import this module only where something is pending.
"""

import asyncio
import io
from dataclasses import dataclass
from pathlib import Path

import aiosqlite
import asyncpg
from alembic import command
from alembic.config import Config

from migrations.head import head_revision
from shared.errors import StorageUnavailable
from shared.storage import postgresql, sqlite
from shared.storage.address import is_postgresql, place, sqlite_path

LOCK_KEY = 0x66726573_68726174
"""Of PostgreSQL's advisory lock: "freshrat" in ASCII."""
SQLITE_LOCK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Patience:
    """With others who use the tables of a live PostgreSQL."""

    lock_seconds: float = 0.8
    """Whoever else wants a table waits behind a step that waits for it, so a step gives up after this. Less than PostgreSQL's
    deadlock_timeout of 1 s: a report that reads the tables in another order waits too, and is never ended for it."""
    tries: int = 10
    pause_seconds: float = 3.0
    """Between two tries: those who waited are served."""

    @property
    def seconds(self) -> float:
        return self.tries * self.lock_seconds + (self.tries - 1) * self.pause_seconds


async def upgrade(database: str, *, patience: Patience = Patience()) -> None:
    """Brings the database at this URL to the newest schema. Waits while another process does.

    Raises StorageUnavailable, also where others keep the tables in use for longer than the patience lasts.
    """
    if is_postgresql(database):
        with postgresql.errors_of(place(database)):
            await _upgrade_postgresql_patiently(database, patience)
    else:
        with sqlite.errors_of(sqlite_path(database)):
            await _upgrade_sqlite(sqlite_path(database))


def configuration(dialect: str, output: io.StringIO | None = None) -> Config:
    """Alembic's configuration, without a file."""
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["dialect"] = dialect
    return config


class _Script(io.StringIO):
    """Takes what Alembic writes: at each call one statement or comment."""

    def __init__(self) -> None:
        super().__init__()
        self.statements: list[str] = []

    def write(self, text: str) -> int:
        if not text.startswith("--"):
            self.statements.append(text.strip())
        return len(text)


def _pending(dialect: str, version: str | None) -> list[str]:
    """The statements that lead from a version to the newest, with those that keep the version itself.

    None for a database that a newer freshrate has brought further: steps expand, so it serves this one too.
    """
    if version is not None and version >= head_revision():
        return []
    script = _Script()
    command.upgrade(configuration(dialect, script), f"{version}:head" if version else "head", sql=True)
    return script.statements


async def _upgrade_postgresql_patiently(database: str, patience: Patience) -> None:
    for tries_left in reversed(range(patience.tries)):
        try:
            await _upgrade_postgresql(database, patience.lock_seconds)
        except asyncpg.LockNotAvailableError as error:
            if not tries_left:
                raise StorageUnavailable(
                    f"{place(database)} keeps its old schema: for {patience.seconds:.0f} s other transactions held tables "
                    "that the upgrade changes. Let backups and reports end, or end them (pg_stat_activity lists them), and "
                    "start again."
                ) from error
        else:
            return
        await asyncio.sleep(patience.pause_seconds)


async def _upgrade_postgresql(database: str, lock_seconds: float) -> None:
    """Once, as a whole. The limit of waiting is for tables alone: another process that upgrades is waited for."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
            await connection.execute(f"SET LOCAL lock_timeout = {round(lock_seconds * 1000)}")
            known = await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
            version = await connection.fetchval("SELECT version_num FROM alembic_version") if known else None
            for statement in _pending("postgresql", version):
                await connection.execute(statement)
    finally:
        await connection.close()


async def _upgrade_sqlite(path: Path) -> None:
    """BEGIN IMMEDIATE is the lock: a second process waits there, and then finds nothing to do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    async with aiosqlite.connect(path, isolation_level=None, timeout=SQLITE_LOCK_SECONDS) as connection:
        await connection.execute_fetchall("BEGIN IMMEDIATE")
        known = await connection.execute_fetchall(
            "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        )
        versions = (
            list(await connection.execute_fetchall("SELECT version_num FROM alembic_version"))
            if known
            else []
        )
        for statement in _pending("sqlite", versions[0][0] if versions else None):
            await connection.execute_fetchall(statement)
        await connection.execute_fetchall("COMMIT")

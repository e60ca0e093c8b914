"""Opens the storage that the settings name, with a schema that this version works on.

Whether anything is pending is one small query against the number in the newest file name, so that Alembic, which costs
half a second and 40 MB, is imported only where there is something to apply.
"""

import asyncio
import random
from datetime import timedelta

from migrations.head import head_revision
from shared.domain.times import Clock, utc_now
from shared.errors import SchemaOutdated, StorageUnavailable
from shared.outage_log import OutageLog
from shared.ports import Storage
from shared.settings import Settings
from shared.storage.address import is_postgresql, place, sqlite_path
from shared.storage.deals_postgresql import PostgresDealsWriter
from shared.storage.deals_sqlite import SqliteDealsWriter
from shared.storage.postgresql import PostgresEngine
from shared.storage.recording_postgresql import PostgresRateWriter
from shared.storage.recording_sqlite import SqliteRateWriter
from shared.storage.sql_storage import SqlStorage
from shared.storage.sqlite import SqliteEngine

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


async def open_storage(
    settings: Settings, *, clock: Clock = utc_now, patience: timedelta = timedelta(seconds=20)
) -> Storage:
    """Waits up to `patience` for a database that does not answer yet.

    Raises StorageUnavailable where it stays away, SettingsError where it refuses us, and SchemaOutdated where steps
    are pending that MIGRATE_ON_START does not let it apply.
    """
    storage = await _connected(settings.database, patience)
    try:
        if await storage.is_outdated(head_revision()):
            await _migrate(settings)
            # The first poll of a new database finds its partitions ready.
            await storage.prepare_partitions(now=clock())
    except BaseException:
        await storage.close()
        raise
    return storage


async def _connected(database: str, patience: timedelta) -> SqlStorage:
    if not is_postgresql(database):
        file = await SqliteEngine.open(sqlite_path(database))
        return SqlStorage(file, SqliteRateWriter(file), SqliteDealsWriter(file))
    server = await _awaited_server(database, patience)
    return SqlStorage(server, PostgresRateWriter(server), PostgresDealsWriter(server))


async def _awaited_server(database: str, patience: timedelta) -> PostgresEngine:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + patience.total_seconds()
    outage = OutageLog("waiting for the database", "database answers")
    pause = _FIRST_PAUSE_S
    while True:
        try:
            server = await PostgresEngine.open(database)
        except StorageUnavailable as error:
            if loop.time() + pause > give_up_at:
                raise
            outage.note_failure(error)
        else:
            outage.note_success()
            return server
        await asyncio.sleep(pause * random.uniform(1, 1.5))  # noqa: S311 - jitter, no secret
        pause = min(pause * 2, _LONGEST_PAUSE_S)


async def _migrate(settings: Settings) -> None:
    if not settings.migrate_on_start:
        raise SchemaOutdated(
            f"The schema of {place(settings.database)} is older than {head_revision()}, which this version needs: "
            "run python -m migrations, or set MIGRATE_ON_START=true."
        )
    from migrations.upgrade import upgrade  # noqa: PLC0415 - see above

    await upgrade(settings.database)

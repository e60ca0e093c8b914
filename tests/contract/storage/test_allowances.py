"""Allowances are replaced by compare-and-set, on both databases."""

import asyncio
from datetime import timedelta

import asyncpg

from shared.domain.allowance import Allowance
from shared.ports import Storage
from shared.settings import Settings
from shared.storage import open_storage
from tests.contract.storage.samples import NOW, SOURCE, visit

FULL = Allowance(
    calls=(NOW, NOW + timedelta(microseconds=1)),
    month="2026-11",
    credits_spent=123,
    failures=6,
    open_until=NOW,
    pause=timedelta(seconds=12.5),
    blocked_until=NOW,
    blocked_because="plan exhausted: «free»",
)


async def test_a_new_source_starts_with_nothing_spent(storage: Storage) -> None:
    assert await storage.allowance(SOURCE) == (Allowance(), 0)


async def test_a_state_comes_back_as_it_was_stored(storage: Storage) -> None:
    assert await storage.replace_allowance(SOURCE, FULL, version=0)
    assert await storage.allowance(SOURCE) == (FULL, 1)


async def test_a_state_that_another_replaced_is_left_alone(storage: Storage) -> None:
    assert await storage.replace_allowance(SOURCE, FULL, version=0)
    assert not await storage.replace_allowance(SOURCE, Allowance(), version=0)
    assert not await storage.replace_allowance(SOURCE, Allowance(), version=2)
    assert await storage.allowance(SOURCE) == (FULL, 1)
    assert await storage.replace_allowance(SOURCE, Allowance(), version=1)
    assert await storage.allowance(SOURCE) == (Allowance(), 2)


async def test_a_state_that_is_gone_has_no_later_version(storage: Storage) -> None:
    assert not await storage.replace_allowance(SOURCE, FULL, version=3)
    assert await storage.allowance(SOURCE) == (Allowance(), 0)


async def test_of_many_concurrent_replacements_one_wins(storage: Storage) -> None:
    for version in range(3):
        replaced = await asyncio.gather(
            *(storage.replace_allowance(SOURCE, FULL, version=version) for _ in range(20))
        )
        assert sum(replaced) == 1


async def test_sources_do_not_know_each_other(storage: Storage) -> None:
    await storage.replace_allowance(SOURCE, FULL, version=0)
    assert await storage.allowance("simulator") == (Allowance(), 0)


async def test_on_postgresql_an_allowance_alone_does_not_wait_for_the_disk(
    postgresql_url: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """A trigger at the end of each transaction notes whether its commit will wait. The server of the tests never
    waits, so the database says otherwise for the connections that follow."""
    database = await connection.fetchval("SELECT current_database()")
    await connection.execute(
        f"""
        ALTER DATABASE {database} SET synchronous_commit = on;
        CREATE TABLE noted (place text, waits text);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN INSERT INTO noted VALUES (TG_TABLE_NAME, current_setting('synchronous_commit')); RETURN NULL; END
        $$;
        CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT OR UPDATE ON allowances DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION note();
        CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON visits DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION note();
        """
    )
    storage = await open_storage(Settings(database_url=postgresql_url))
    await storage.record_visit(visit())
    await storage.replace_allowance(SOURCE, FULL, version=0)
    await storage.record_visit(visit())
    await storage.replace_allowance(SOURCE, Allowance(), version=1)
    await storage.record_visit(visit())
    await storage.close()
    rows = await connection.fetch("SELECT place, waits FROM noted")
    assert [tuple(row) for row in rows] == [
        ("visits", "on"),
        ("allowances", "off"),
        ("visits", "on"),
        ("allowances", "off"),
        ("visits", "on"),
    ]

"""A backup made while the service runs brings everything back: each row, and the same answers."""

import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.backup.__main__ import back_up as make_backup
from deploy.backup.__main__ import main
from deploy.servers.cluster import psql
from deploy.servers.postgresql import PostgresServer
from tests.e2e.processes import ROOT, Running, Stack
from tests.e2e.test_rates import catalog_ready, get
from tests.e2e.test_standalone import start
from tests.waiting import until
from worker.jobs import JOBS

CURRENCIES = (1, 1027)
SQLITE = {"COINMARKETCAP_CALLS_PER_MINUTE": "0", "REFRESHES_PER_MINUTE": "0", "TRACKED_TOP": "20"}


async def pages(http: aiohttp.ClientSession, running: Running) -> list[Any]:
    """Every page of the rates: of all currencies, and of one."""
    bodies = []
    for first in ("/api/ratescurrency/?limit=9", "/api/ratescurrency/1/?limit=2"):
        path: str | None = first
        while path:
            status, body = await get(http, running, path)
            assert status == 200, body
            bodies.append(body)
            path = body["next"]
    return bodies


async def refresh(http: aiohttp.ClientSession, running: Running, times: int) -> None:
    for _ in range(times):
        for currency_id in CURRENCIES:
            status, rate = await get(http, running, f"/api/latestrate/{currency_id}/")
            assert status == 200, rate


@asynccontextmanager
async def refreshing(http: aiohttp.ClientSession, running: Running) -> AsyncIterator[None]:
    """Rates are stored without a pause while this lasts."""
    asking = asyncio.create_task(refresh(http, running, 1_000_000))
    path = "/api/lastrate/1027/"
    _, before = await get(http, running, path)

    async def has_moved() -> bool:
        return bool((await get(http, running, path))[1]["id"] > before["id"])

    await until(has_moved, seconds=10, what="the first of the refreshes")
    try:
        yield
        assert not asking.done()
    finally:
        asking.cancel()


async def jobs_done(worker: Running) -> None:
    for event in ("upkeep done", "catalog renewed"):
        await worker.logged(event)


async def every_job_done(file: Path) -> None:
    """Of a process with all roles: after that nothing is written by itself for a while."""

    async def is_done() -> bool:
        done = {row[0] for row in sqlite_rows(file)["schedules"] if row[1] is not None}
        return done >= {job.name for job in JOBS}

    await until(is_done, seconds=20, what="every job")


def tool(name: str) -> str:
    """A program of PostgreSQL, from beside psql."""
    return str(Path(psql()).with_name(name))


def dump(url: str, file: Path) -> None:
    subprocess.run([tool("pg_dump"), "-Fc", "--no-owner", "-f", str(file), url], check=True)


def restore(file: Path, url: str) -> None:
    subprocess.run(
        [tool("pg_restore"), "--no-owner", "--single-transaction", "-d", url, str(file)], check=True
    )


def postgresql_rows(server: PostgresServer, url: str) -> dict[str, str]:
    """Every table's rows and every sequence's state as text, and the indexes."""
    database = url.rpartition("/")[2]

    def ask(sql: str) -> str:
        return server.execute(sql, database=database)

    held = {}
    names = "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN"
    for table in ask(f"{names} ('r', 'p')").splitlines():
        held[table] = ask(f"SELECT t::text FROM {table} t ORDER BY 1")
    for sequence in ask(f"{names} ('S')").splitlines():
        held[sequence] = ask(f"SELECT last_value, is_called FROM {sequence}")
    held["indexes"] = ask("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
    return held


def sqlite_rows(file: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        schema = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY 2").fetchall()
        tables = [name for kind, name, _ in schema if kind == "table"]
        rows = {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}
    return {"schema": schema, **rows}


async def test_a_dump_of_postgresql_brings_back_every_row_and_the_same_answers(
    stack: Stack,
    http: aiohttp.ClientSession,
    postgresql_server: PostgresServer,
    postgresql_url: str,
    empty_postgresql_url: str,
    tmp_path: Path,
) -> None:
    await stack.simulator()
    api, worker = await stack.api(), await stack.worker()
    await catalog_ready(http, api)
    await refresh(http, api, 3)
    await jobs_done(worker)
    assert await worker.stop() == 0
    dump(postgresql_url, tmp_path / "freshrate.dump")
    restore(tmp_path / "freshrate.dump", empty_postgresql_url)
    held = postgresql_rows(postgresql_server, postgresql_url)
    assert len(held["rates"].splitlines()) >= 20 + 3 * len(CURRENCIES)
    assert postgresql_rows(postgresql_server, empty_postgresql_url) == held
    restored = await stack.api(DATABASE_URL=empty_postgresql_url)
    answers = await pages(http, api)
    assert await pages(http, restored) == answers
    # It goes on from there.
    await stack.worker(DATABASE_URL=empty_postgresql_url)
    newest = max(rate["id"] for page in answers for rate in page["results"])
    status, rate = await get(http, restored, "/api/latestrate/1/")
    assert status == 200
    assert rate["id"] > newest


async def test_a_dump_of_postgresql_amid_refreshes_is_one_committed_state(
    stack: Stack,
    http: aiohttp.ClientSession,
    postgresql_server: PostgresServer,
    postgresql_url: str,
    empty_postgresql_url: str,
    tmp_path: Path,
) -> None:
    await stack.simulator()
    api = await stack.api()
    await stack.worker()
    await catalog_ready(http, api)
    async with refreshing(http, api):
        await asyncio.to_thread(dump, postgresql_url, tmp_path / "freshrate.dump")
    restore(tmp_path / "freshrate.dump", empty_postgresql_url)
    last, lost, newer = postgresql_server.execute(
        "SELECT count(*), count(*) FILTER (WHERE r.id IS NULL),"
        " (SELECT count(*) FROM rates WHERE id > (SELECT last_value FROM rates_id))"
        " FROM last_rates l LEFT JOIN rates r ON r.id = l.rate_id AND r.price_usd = l.price_usd",
        database=empty_postgresql_url.rpartition("/")[2],
    ).split("|")
    assert int(last) >= 20
    assert (lost, newer) == ("0", "0")


async def back_up(running_in: Path, target: Path, **env: str) -> tuple[int, str]:
    """The code and the words of `python -m deploy.backup`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.backup",
        str(target),
        cwd=running_in,
        env={"PYTHONPATH": str(ROOT), **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    words, _ = await process.communicate()
    return process.returncode or 0, words.decode()


async def test_a_backup_of_sqlite_brings_back_every_row_and_the_same_answers(
    stack: Stack, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    await stack.simulator()
    env = {**SQLITE, "COINMARKETCAP_URL": stack.simulator_url}
    running = await start(tmp_path, **env)
    restored: Running | None = None
    try:
        await running.ready("/api/lastrate/1/")
        await refresh(http, running, 3)
        await every_job_done(tmp_path / "data" / "freshrate.db")
        code, words = await back_up(tmp_path, tmp_path / "backup.db")
        assert code == 0, words
        held = sqlite_rows(tmp_path / "data" / "freshrate.db")
        assert len(held["rates"]) >= 20 + 3 * len(CURRENCIES)
        assert sqlite_rows(tmp_path / "backup.db") == held
        answers = await pages(http, running)
        restored = await start(tmp_path, DATABASE_URL="sqlite:///backup.db", **env)
        await restored.ready("/api/lastrate/1/")
        assert await pages(http, restored) == answers
        newest = max(rate["id"] for page in answers for rate in page["results"])
        status, rate = await get(http, restored, "/api/latestrate/1/")
        assert status == 200
        assert rate["id"] > newest
    finally:
        await running.kill()
        if restored is not None:
            await restored.kill()


async def test_a_backup_of_sqlite_amid_refreshes_is_one_committed_state(
    stack: Stack, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    await stack.simulator()
    running = await start(tmp_path, **SQLITE, COINMARKETCAP_URL=stack.simulator_url)
    try:
        await running.ready("/api/lastrate/1/")
        async with refreshing(http, running):
            code, words = await back_up(tmp_path, tmp_path / "backup.db")
        assert code == 0, words
    finally:
        await running.kill()
    with closing(sqlite3.connect(tmp_path / "backup.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        [(last, kept)] = connection.execute(
            "SELECT count(*), count(r.id) FROM last_rates l"
            " LEFT JOIN rates r ON r.id = l.rate_id AND r.price_usd = l.price_usd"
        )
    assert last == kept >= 20


async def test_of_backups_to_one_target_at_once_one_is_made_and_whole(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "busy.db")) as connection:
        connection.execute("CREATE TABLE one (id INTEGER, filling BLOB)")
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
        connection.execute(f"INSERT INTO one {numbers} SELECT i, randomblob(2000) FROM n")
        connection.commit()
    target = tmp_path / "backup.db"
    ends = await asyncio.gather(
        *(back_up(tmp_path, target, DATABASE_URL="sqlite:///busy.db") for _ in range(4))
    )
    assert sorted(code for code, _ in ends) == [0, 1, 1, 1], ends
    assert {words for code, words in ends if code} == {
        f"backup: {target} exists already: name another file\n"
    }
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM one").fetchall() == [(10_000,)]
    assert {path.name for path in tmp_path.iterdir()} == {"busy.db", "backup.db"}


def test_backups_that_are_finished_at_the_same_moment_take_no_name_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_copied = threading.Barrier(4)
    link = os.link

    def link_together(*names: Path) -> None:
        all_copied.wait(20)
        link(*names)

    monkeypatch.setattr(os, "link", link_together)
    with closing(sqlite3.connect(tmp_path / "there.db")) as connection:
        connection.execute("CREATE TABLE one (id INTEGER)")
    with ThreadPoolExecutor(4) as pool:
        making = [pool.submit(make_backup, tmp_path / "there.db", tmp_path / "backup.db") for _ in range(4)]
    ends = Counter(str(one.exception()) for one in making)
    assert ends == {"None": 1, f"{tmp_path}/backup.db exists already: name another file": 3}
    assert {path.name for path in tmp_path.iterdir()} == {"there.db", "backup.db"}


def test_a_backup_has_the_permissions_of_the_database(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "there.db")) as connection:
        connection.execute("CREATE TABLE one (id INTEGER)")
    (tmp_path / "there.db").chmod(0o640)
    make_backup(tmp_path / "there.db", tmp_path / "backup.db")
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o640


def test_a_backup_where_files_have_one_name_only_says_so_before_it_copies_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_names: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    missing = tmp_path / "missing.db"
    with pytest.raises(OSError, match=r"backup\.db .*hard links.* back up to another folder"):
        make_backup(missing, tmp_path / "backup.db")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_cannot_get_its_name_for_another_reason_says_that_one_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_names: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with closing(sqlite3.connect(tmp_path / "there.db")) as connection:
        connection.execute("CREATE TABLE one (id INTEGER)")
    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match=r"^\[Errno 28\] No space left on device$"):
        make_backup(tmp_path / "there.db", tmp_path / "backup.db")
    assert [path.name for path in tmp_path.iterdir()] == ["there.db"]


@pytest.mark.parametrize("where", ["fsync", "link"])
def test_ctrl_c_during_a_backup_ends_in_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    def press_ctrl_c(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with closing(sqlite3.connect(tmp_path / "there.db")) as connection:
        connection.execute("CREATE TABLE one (id INTEGER)")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/there.db")
    monkeypatch.setattr(os, where, press_ctrl_c)
    monkeypatch.setattr(sys, "argv", ["backup", str(tmp_path / "backup.db")])
    assert main() == 130
    assert capsys.readouterr().err == "backup: stopped; nothing unfinished is left\n"
    assert [path.name for path in tmp_path.iterdir()] == ["there.db"]


@pytest.mark.parametrize(
    ("target", "database", "says"),
    [
        ("there.db", "sqlite:///there.db", "exists already"),
        ("new.db", "sqlite:///missing.db", "unable to open database file"),
        ("nowhere/new.db", "sqlite:///there.db", "nowhere is no folder"),
        ("there.db/new.db", "sqlite:///there.db", "there.db is no folder"),
        ("new.db", "sqlite:///nonsense.db", "not a database"),
        ("new.db", "postgresql://u:secret@h/n", "pg_dump"),
        ("new.db", "mysql://h/n", "DATABASE_URL"),
    ],
)
async def test_a_backup_that_cannot_be_made_says_why_and_leaves_nothing(
    tmp_path: Path, target: str, database: str, says: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "there.db")) as connection:
        connection.execute("CREATE TABLE one (id INTEGER)")
    (tmp_path / "nonsense.db").write_text("nonsense " * 1000)
    before = {path.name for path in tmp_path.iterdir()}
    code, words = await back_up(tmp_path, tmp_path / target, DATABASE_URL=database)
    assert code == 1
    assert words.startswith("backup: ")
    assert words.count("\n") == 1
    assert says in words
    assert "secret" not in words
    assert "unfinished" not in words
    assert {path.name for path in tmp_path.iterdir()} == before

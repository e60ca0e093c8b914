"""The columns are named as the fields of the domain, and both databases have the same."""

import sqlite3
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.domain.currency import Currency, CurrencyAlias, CurrencyDetail, CurrencyMetadata, CurrencyProfile
from shared.domain.deals import COLUMNS as OF_DEALS
from shared.domain.deals import DealsFile, DealsUpload
from shared.domain.ranking import Ranking
from shared.domain.rate import Observation, Rate
from shared.domain.schedule import ScheduleState
from shared.domain.visit import Visit
from shared.ports import Storage


def names(*classes: Any) -> set[str]:
    return {field.name for one in classes for field in fields(one)}


COLUMNS = {
    "currencies": (
        names(Currency, CurrencyMetadata, CurrencyProfile, CurrencyDetail)
        - {"currency", "metadata", "profile", "aliases"}
    )
    | {"symbol_folded", "text_folded", "renewed_at"},
    "currency_aliases": names(CurrencyAlias) | {"currency_id"},
    "rates": names(Observation) | (names(Rate) - {"symbol", "fetched_at"}) | {"backfilled"},
    "last_rates": (names(Rate) - {"id", "symbol"}) | {"rate_id"},
    "rankings": names(Ranking),
    "demand": {"currency_id", "asked_at"},
    "deal_uploads": (names(DealsUpload, DealsFile) - {"file"}) | {"summary"},
    "deals": {*OF_DEALS, "upload_id"},
    "visits": names(Visit) | {"id"},
    "schedules": names(ScheduleState),
    "allowances": {"source", "version", "state"},
    "kind_of_rates": {"id", "is_simulated"},
    "alembic_version": {"version_num"},
}
TIMES = {
    "first_seen",
    "renewed_at",
    "profiled_at",
    "decided_at",
    "observed_at",
    "stored_at",
    "fetched_at",
    "asked_at",
    "received_at",
    "date",
    "started_at",
    "done_at",
    "claimed_for",
    "claimed_until",
}
DECIMALS = {
    "price_usd",
    "volume_24h",
    "market_cap",
    "circulating_supply",
    "total_supply",
    "max_supply",
    "total",
    "quantity",
}


@pytest.fixture
async def types_of(storage: Storage, database: str) -> Callable[[], Any]:
    """Reads the type of every column, by table, past the storage."""

    async def read() -> dict[str, dict[str, str]]:
        return await (_postgresql(database) if database.startswith("postgres") else _sqlite(database))

    return read


async def _postgresql(database: str) -> dict[str, dict[str, str]]:
    connection = await asyncpg.connect(database)
    rows = await connection.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
    )
    await connection.close()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = kind
    return {table: columns for table, columns in tables.items() if not table.startswith("rates_")}


async def _sqlite(database: str) -> dict[str, dict[str, str]]:
    connection = sqlite3.connect(Path(database.removeprefix("sqlite:///")))
    rows = connection.execute(
        "SELECT t.name, c.name, c.type FROM sqlite_master t, pragma_table_info(t.name) c "
        "WHERE t.type = 'table' AND t.name <> 'sqlite_sequence'"
    ).fetchall()
    connection.close()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = kind
    return tables


async def test_the_columns_are_the_fields(types_of: Callable[[], Any]) -> None:
    assert {table: set(columns) for table, columns in (await types_of()).items()} == COLUMNS


async def test_times_and_decimals_are_kept_exactly(types_of: Callable[[], Any], database: str) -> None:
    is_postgresql = database.startswith("postgres")
    exact = {"numeric"} if is_postgresql else {"TEXT"}
    times = {"timestamp with time zone"} if is_postgresql else {"INTEGER"}
    tables = (await types_of()).values()
    assert {kind for table in tables for name, kind in table.items() if name in DECIMALS} == exact
    assert {kind for table in tables for name, kind in table.items() if name in TIMES} == times


async def test_no_other_column_holds_a_time_or_a_decimal(types_of: Callable[[], Any], database: str) -> None:
    found = {
        name: kind
        for table in (await types_of()).values()
        for name, kind in table.items()
        if kind in {"timestamp with time zone", "timestamp without time zone", "numeric"}
    }
    assert set(found) == (TIMES | DECIMALS if database.startswith("postgres") else set())

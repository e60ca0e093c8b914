"""Files of deals that the storage is fed with."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence

from shared.domain.deals import COLUMNS, DealRow, DealsBatch, DealsFile, DealsUpload
from shared.ports import Storage
from shared.storage.sql_storage import SqlStorage
from tests.contract.storage.samples import NOW

DATE = "2026-11-20T12:00:00.123456Z"


def deals_file(name: str = "deals.csv", *, content: str | None = None, charset: str = "utf-8") -> DealsFile:
    """Files of one name are the same file, unless their content says otherwise."""
    digest = hashlib.sha256((content or name).encode()).hexdigest()
    return DealsFile(name=name, size=10, sha256=digest, charset=charset, has_header=True, received_at=NOW)


def deal(
    customer: str, item: str = "ruby", total: str = "1", *, quantity: str = "1", date: str = DATE
) -> DealRow:
    return (customer, item, total, quantity, date)


async def as_rows(*deals: DealRow, size: int = 2) -> AsyncIterator[DealsBatch]:
    """Batches of so many rows."""
    for start in range(0, len(deals), size):
        yield DealsBatch(rows=deals[start : start + size])


async def as_text(*deals: DealRow, size: int = 2) -> AsyncIterator[DealsBatch]:
    """Batches of so many lines."""
    for start in range(0, len(deals), size):
        yield DealsBatch(text=lines_of(deals[start : start + size]))


def lines_of(deals: Iterable[DealRow]) -> str:
    return "".join(f"{','.join(one)}\n" for one in deals)


async def load(
    storage: Storage, *deals: DealRow, name: str = "deals.csv", columns: Sequence[str] = COLUMNS
) -> DealsUpload:
    replacement = await storage.replace_deals(deals_file(name), columns, as_rows(*deals))
    assert replacement.is_new
    return replacement.upload


async def spent(storage: Storage) -> dict[str, str]:
    """By customer, in the order of the answer."""
    summary = await storage.deals_summary()
    assert summary is not None
    return {one.name: str(one.spent) for one in summary.spenders}


async def gems(storage: Storage) -> dict[str, tuple[str, ...]]:
    summary = await storage.deals_summary()
    assert summary is not None
    return {one.name: one.items for one in summary.spenders}


async def stored_deals(storage: Storage) -> int:
    """Of all uploads, past the port."""
    assert isinstance(storage, SqlStorage)
    count: int = await storage._engine.fetchval("SELECT count(*) FROM deals")
    return count

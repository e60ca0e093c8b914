"""Deals: what both databases share of them.

All of it hangs on one row of `deal_uploads`, the current one: a load writes its deals under an id that nobody asks for yet, and
its last commit makes that row the current one. Readers go by that id, so they see the old deals or the new, never both.
The deals of the upload before stay where they are until `forget_replaced_deals`.
"""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from shared.domain.deals import (
    COLUMNS,
    DealsBatch,
    DealsFile,
    DealsSummary,
    DealsUpload,
    PricedDeal,
    PriceRule,
    Replacement,
    UploadState,
)
from shared.domain.page import Cursor, Page
from shared.errors import InvalidDeals
from shared.storage.engine import OnEngine, Row, Session
from shared.storage.paging import page_of
from shared.storage.priced_deals import read_priced_deals
from shared.storage.rows import spenders_of, upload_of
from shared.storage.text import storable

LONGEST_SUMMARY = 1024 * 1024
"""Bytes. Names may be long, and every process reads all of them after each upload."""
REFUSED_KEPT = 100
LONGEST_NAME = 255
LONGEST_ERROR = 10_000
"""Both in characters."""
_UPLOAD = "id, state, name, size, sha256, charset, has_header, received_at, rows, error"
LOADING = "loading"
"""The state of an upload whose load is at work, or was killed. Only what writes deals knows it."""
_ADD = f"""
    INSERT INTO deal_uploads (state, name, size, sha256, charset, has_header, received_at, error)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {_UPLOAD}
"""  # noqa: S608 - the columns are ours


class DealsLoad(Protocol):
    """One load, which no other runs beside."""

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """Of short work. Nobody else sees what is written before its end."""

    async def store(self, upload_id: int, columns: Sequence[str], batches: AsyncIterator[DealsBatch]) -> int:
        """Writes the deals, and says how many they are."""

    async def summary(self, upload_id: int) -> str:
        """Of the deals that were stored: JSON of [customer, sum of total, [items that another of these bought too]], in the
        order of the answer. Raises InvalidDeals where it would be longer than LONGEST_SUMMARY."""


class DealsWriter(Protocol):
    """The bulk writes, which each database needs said in its own way."""

    def load(self) -> AbstractAsyncContextManager[DealsLoad]:
        """Waits while another load runs, whatever process it is of. At the end of its block all is committed; where that fails,
        what was written is deleted, now or with the replaced deals."""

    async def forget_replaced(self) -> int:
        """See Storage.forget_replaced_deals."""


class Deals(OnEngine):
    """The methods of the storage that write and read deals."""

    _deals_writer: DealsWriter

    async def replace_deals(
        self, file: DealsFile, columns: Sequence[str], batches: AsyncIterable[DealsBatch]
    ) -> Replacement:
        if sorted(columns) != sorted(COLUMNS):
            raise ValueError(f"the columns must be {', '.join(COLUMNS)}")
        source = _Source(batches)
        try:
            async with self._deals_writer.load() as load:
                async with load.transaction() as session:
                    same = await _same_file(session, file)
                    if same is not None:
                        return Replacement(same, is_new=False)
                    upload_id = (await _added(session, LOADING, file))[0]
                rows = await load.store(upload_id, columns, source)
                summary = await load.summary(upload_id)
                async with load.transaction() as session:
                    upload = await _made_current(session, upload_id, rows, summary)
        except Exception:
            # What reading the file raised is about the file, though a driver or the database may have made something
            # else of it.
            if source.failure is not None:
                raise source.failure from None
            raise
        return Replacement(upload, is_new=True)

    async def refuse_deals(self, file: DealsFile, *, error: str) -> DealsUpload:
        async with self._engine.transaction() as session:
            row = await _added(session, UploadState.REFUSED.value, file, _kept(storable(error)))
            await session.execute(
                """
                DELETE FROM deal_uploads WHERE state = 'refused' AND id <= (
                    SELECT id FROM deal_uploads WHERE state = 'refused' ORDER BY id DESC LIMIT 1 OFFSET $1
                )
                """,
                REFUSED_KEPT,
            )
        return upload_of(row)

    async def current_upload(self) -> int | None:
        number: int | None = await self._engine.fetchval(
            "SELECT id FROM deal_uploads WHERE state = 'current'"
        )
        return number

    async def deals_summary(self) -> DealsSummary | None:
        row = await self._engine.fetchrow(
            f"SELECT {_UPLOAD}, summary FROM deal_uploads WHERE state = 'current'"  # noqa: S608 - see _ADD
        )
        if row is None:
            return None
        *upload, summary = row
        return DealsSummary(upload_of(upload), spenders_of(summary))

    async def uploads_page(self, *, cursor: Cursor | None, limit: int) -> Page[DealsUpload]:
        sql = f"SELECT {_UPLOAD} FROM deal_uploads WHERE state <> '{LOADING}'"  # noqa: S608 - see _ADD
        args = [limit + 1]
        if cursor is not None:
            sql += f" AND id {'>' if cursor.backwards else '<'} $2"
            args.append(cursor.key[0])
        order = "" if cursor is not None and cursor.backwards else "DESC"
        rows = await self._engine.fetch(f"{sql} ORDER BY id {order} LIMIT $1", *args)
        return page_of([upload_of(row) for row in rows], cursor=cursor, limit=limit)

    async def priced_deals(
        self,
        upload_id: int,
        customers: Sequence[str],
        rules: Sequence[PriceRule],
        *,
        now: datetime,
        limit: int,
    ) -> list[PricedDeal]:
        return await read_priced_deals(self._engine, upload_id, customers, rules, now=now, limit=limit)

    async def forget_replaced_deals(self) -> int:
        return await self._deals_writer.forget_replaced()


class _Source:
    """The batches as they come, and what they raised."""

    def __init__(self, batches: AsyncIterable[DealsBatch]) -> None:
        self._batches = aiter(batches)
        self.failure: Exception | None = None

    def __aiter__(self) -> "_Source":
        return self

    async def __anext__(self) -> DealsBatch:
        try:
            return await anext(self._batches)
        except StopAsyncIteration:
            raise
        except Exception as error:
            self.failure = error
            raise


def too_long_summary() -> InvalidDeals:
    error = (
        f"the names of the customers who spent most, and of what they bought, are longer than {LONGEST_SUMMARY:,} bytes: "
        "shorten them"
    )
    return InvalidDeals([error])


def _columns_of(file: DealsFile) -> tuple[object, ...]:
    """name, size, sha256, charset, has_header, received_at."""
    return (
        storable(file.name)[:LONGEST_NAME],
        file.size,
        file.sha256,
        storable(file.charset)[:LONGEST_NAME],
        file.has_header,
        file.received_at,
    )


async def _same_file(session: Session, file: DealsFile) -> DealsUpload | None:
    """The current upload, where it is of this very file, read in the same way."""
    row = await session.fetchrow(
        f"""
        SELECT {_UPLOAD} FROM deal_uploads
        WHERE state = 'current' AND sha256 = $1 AND charset = $2 AND has_header = $3
        """,  # noqa: S608 - see _ADD
        file.sha256,
        file.charset,
        file.has_header,
    )
    return None if row is None else upload_of(row)


async def _added(session: Session, state: str, file: DealsFile, error: str | None = None) -> Row:
    row = await session.fetchrow(_ADD, state, *_columns_of(file), error)
    assert row is not None  # noqa: S101 - it was just added
    return row


async def _made_current(session: Session, upload_id: int, rows: int, summary: str) -> DealsUpload:
    await session.execute(
        "UPDATE deal_uploads SET state = 'replaced', summary = NULL WHERE state = 'current'"
    )
    row = await session.fetchrow(
        f"UPDATE deal_uploads SET state = 'current', rows = $2, summary = $3 WHERE id = $1 RETURNING {_UPLOAD}",  # noqa: S608 - see _ADD
        upload_id,
        rows,
        summary,
    )
    assert row is not None  # noqa: S101 - this load added it
    return upload_of(row)


def _kept(error: str) -> str:
    """As many of its lines as may be kept, or a part of the first."""
    if len(error) <= LONGEST_ERROR:
        return error
    return error[: LONGEST_ERROR + 1].rpartition("\n")[0] or error[:LONGEST_ERROR]

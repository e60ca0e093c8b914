"""Currencies: the catalog, renewed as a whole, and searched by folded copies of its texts.

2147483647 sorts the unranked behind all others; the index of that order and the cursors hold the same number.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from shared.domain.currency import LARGEST_ID, CatalogEntry, Currency, CurrencyDetail, CurrencyKind
from shared.domain.page import Cursor, Page
from shared.storage.engine import Dialect, OnEngine, Session
from shared.storage.paging import page_of
from shared.storage.rows import alias_of, currency_of, maybe_time_of, metadata_of, profile_of
from shared.storage.text import containing, folded, is_searchable, storable

LOCK_KEY = 0x66726573_68636174
"""Of PostgreSQL's advisory lock: "freshcat" in ASCII."""
_CURRENCIES = "SELECT id, name, symbol, slug, rank, is_active, kind FROM currencies"
_ADD = """
    INSERT INTO currencies (id, kind, symbol, name, slug, rank, is_active, first_seen, platform, sign,
                            symbol_folded, text_folded, renewed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
_KNOWN_IDS = {
    Dialect.POSTGRESQL: "SELECT id FROM currencies WHERE id = ANY($1::bigint[])",
    Dialect.SQLITE: "SELECT id FROM currencies WHERE id IN (SELECT value FROM json_each($1))",
}


class Currencies(OnEngine):
    """The currency methods of the storage."""

    async def record_catalog(
        self, kind: CurrencyKind, entries: Sequence[CatalogEntry], *, stored_at: datetime
    ) -> None:
        """Renewals take turns. Rows are written in the order of their ids, as those who add currencies at the same time do."""
        rows = [_row(kind, entry, stored_at) for entry in sorted(entries, key=lambda one: one.currency.id)]
        async with self._engine.transaction() as session:
            await alone_with_the_catalog(session, self._engine.dialect)
            await session.executemany(
                _ADD
                + """
                ON CONFLICT (id) DO UPDATE SET
                    kind = excluded.kind, symbol = excluded.symbol, name = excluded.name, slug = excluded.slug,
                    rank = excluded.rank, is_active = excluded.is_active, first_seen = excluded.first_seen,
                    platform = excluded.platform, sign = excluded.sign, symbol_folded = excluded.symbol_folded,
                    text_folded = excluded.text_folded, renewed_at = excluded.renewed_at
                """,
                rows,
            )
            await session.execute(
                """
                UPDATE currencies SET is_active = false, rank = NULL
                WHERE kind = $1 AND (renewed_at IS NULL OR renewed_at <> $2)
                """,
                kind.value,
                stored_at,
            )

    async def add_currencies(self, entries: Sequence[CatalogEntry], *, stored_at: datetime) -> int:
        """One by one, for they are few: what the catalog lacks is what was listed since it was renewed."""
        async with self._engine.transaction() as session:
            known = await known_ids(session, self._engine.dialect, [entry.currency.id for entry in entries])
            missing = {one.currency.id: one for one in entries if one.currency.id not in known}
            added = [await write_new_currency(session, one, stored_at) for _, one in sorted(missing.items())]
        return sum(added)

    async def catalog(self) -> list[Currency]:
        rows = await self._engine.fetch(_CURRENCIES + " ORDER BY coalesce(rank, 2147483647), id")
        return [currency_of(row) for row in rows]

    async def currency(self, currency_id: int) -> CurrencyDetail | None:
        if not 0 < currency_id <= LARGEST_ID:
            return None
        row = await self._engine.fetchrow(
            """
            SELECT id, name, symbol, slug, rank, is_active, kind, first_seen, platform, sign, merged_into, profiled_at,
                circulating_supply, total_supply, max_supply, tags, links
            FROM currencies WHERE id = $1
            """,
            currency_id,
        )
        if row is None:
            return None
        aliases = await self._engine.fetch(
            """
            SELECT source, source_id, symbol, decided_by, decided_at FROM currency_aliases
            WHERE currency_id = $1 ORDER BY source, source_id
            """,
            currency_id,
        )
        first_seen, platform, sign, merged_into, profiled_at, *profile = tuple(row)[7:]
        return CurrencyDetail(
            currency=currency_of(row),
            metadata=metadata_of((first_seen, platform, sign)),
            profile=profile_of(profile),
            profiled_at=maybe_time_of(profiled_at),
            aliases=tuple(alias_of(alias) for alias in aliases),
            merged_into=merged_into,
        )

    async def currencies_page(
        self, *, symbol: str | None, text: str | None, cursor: Cursor | None, limit: int
    ) -> Page[Currency]:
        if not all(is_searchable(wanted) for wanted in (symbol, text) if wanted is not None):
            return Page((), has_next=False, has_previous=False)
        backwards = cursor is not None and cursor.backwards
        sql = _CURRENCIES
        if backwards:
            sql += " WHERE (coalesce(rank, 2147483647), id) < (CAST($1 AS bigint), $2)"
        else:
            sql += " WHERE (coalesce(rank, 2147483647), id) > (CAST($1 AS bigint), $2)"
        args: list[object] = [*(cursor.key if cursor else (0, 0)), limit + 1]
        if symbol is not None:
            args.append(folded(symbol))
            sql += f" AND symbol_folded = ${len(args)}"
        if text is not None:
            args.append(containing(folded(text)))
            sql += f" AND text_folded LIKE ${len(args)} ESCAPE '\\'"
        if backwards:
            sql += " ORDER BY coalesce(rank, 2147483647) DESC, id DESC LIMIT $3"
        else:
            sql += " ORDER BY coalesce(rank, 2147483647), id LIMIT $3"
        rows = await self._engine.fetch(sql, *args)
        return page_of([currency_of(row) for row in rows], cursor=cursor, limit=limit)


async def alone_with_the_catalog(session: Session, dialect: Dialect) -> None:
    """Until the transaction ends, no other that renews the catalog or writes profiles is at work. A renewal comes back to the
    currencies that it lacks, so the order of ids alone would not keep two of them from waiting in a circle."""
    if dialect is Dialect.POSTGRESQL:
        await session.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)


async def known_ids(session: Session, dialect: Dialect, currency_ids: Iterable[int]) -> set[int]:
    """Those of them that are there."""
    possible = [one for one in currency_ids if 0 < one <= LARGEST_ID]
    return {row[0] for row in await session.fetch(_KNOWN_IDS[dialect], possible)}


async def write_new_currency(session: Session, entry: CatalogEntry, stored_at: datetime) -> int:
    """How many were added: none where there is one of this id."""
    row = _row(entry.currency.kind, entry, stored_at)
    return await session.execute(_ADD + " ON CONFLICT (id) DO NOTHING", *row)


def _row(kind: CurrencyKind, entry: CatalogEntry, stored_at: datetime) -> tuple[object, ...]:
    currency, metadata = entry.currency, entry.metadata
    symbol, name, slug = storable(currency.symbol), storable(currency.name), storable(currency.slug)
    return (
        currency.id,
        kind.value,
        symbol,
        name,
        slug,
        currency.rank,
        currency.is_active,
        metadata.first_seen,
        metadata.platform and storable(metadata.platform),
        metadata.sign and storable(metadata.sign),
        folded(symbol),
        folded(name, symbol, slug),
        stored_at,
    )

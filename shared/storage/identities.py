"""Which currency a source's coin is, as it was decided: aliases, and the local currencies that stand for unknown coins.

A decision is for good, but for one: a local currency stands for its coin only until CoinMarketCap lists it. Then its
aliases lead to the known currency, and it stays behind, merged, with the history that was stored under it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from shared.domain.currency import FIRST_LOCAL_ID, CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.identity import Identity, SourceCoin
from shared.errors import UnknownCurrency
from shared.storage.currencies import write_new_currency
from shared.storage.engine import Dialect, OnEngine, Session, UnknownReference
from shared.storage.text import storable

LOCK_KEY = 0x66726573_68696473
"""Of PostgreSQL's advisory lock: "freshids" in ASCII."""
_SYMBOLS = {
    Dialect.POSTGRESQL: """
        SELECT currency_id, symbol FROM currency_aliases
        WHERE source = $1 AND currency_id = ANY($2::bigint[]) AND symbol <> ''
        ORDER BY decided_at DESC, source_id DESC
    """,
    Dialect.SQLITE: """
        SELECT currency_id, symbol FROM currency_aliases
        WHERE source = $1 AND currency_id IN (SELECT value FROM json_each($2)) AND symbol <> ''
        ORDER BY decided_at DESC, source_id DESC
    """,
}
_NEXT_ID = {
    Dialect.POSTGRESQL: "SELECT nextval('local_currency_ids')",
    Dialect.SQLITE: "SELECT max(coalesce(max(id), 0) + 1, 1000000000) FROM currencies",
}


class Identities(OnEngine):
    """The methods of the storage that keep identities."""

    async def aliases(self, source: str) -> dict[str, int]:
        known = await _known(self._engine, source)
        return {source_id: currency_id for source_id, (currency_id, _) in known.items()}

    async def symbols(self, source: str, currency_ids: Collection[int]) -> dict[int, str]:
        """Where several of its coins are one currency, the one that was decided on first."""
        rows = await self._engine.fetch(_SYMBOLS[self._engine.dialect], source, list(currency_ids))
        return {row[0]: row[1] for row in rows}

    async def record_identities(
        self, source: str, identities: Sequence[Identity], *, decided_at: datetime
    ) -> dict[str, int]:
        try:
            async with self._engine.transaction() as session:
                if self._engine.dialect is Dialect.POSTGRESQL:
                    await session.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
                ledger = _Ledger(session, self._engine.dialect, source, decided_at)
                return await ledger.enter(identities)
        except UnknownReference as error:
            raise UnknownCurrency from error


class _Ledger:
    """One transaction that enters decisions. It is alone: on SQLite every writer is, on PostgreSQL by its lock."""

    def __init__(self, session: Session, dialect: Dialect, source: str, decided_at: datetime) -> None:
        self._session = session
        self._dialect = dialect
        self._source = source
        self._decided_at = decided_at

    async def enter(self, identities: Sequence[Identity]) -> dict[str, int]:
        """The currency of each source id."""
        known = await _known(self._session, self._source)
        currency_ids: dict[str, int] = {}
        aliases: list[tuple[object, ...]] = []
        symbols: list[tuple[object, ...]] = []
        for identity in {one.coin.source_id: one for one in identities}.values():
            source_id, symbol = storable(identity.coin.source_id), storable(identity.coin.symbol)
            currency_id, known_symbol = known.get(source_id, (None, None))
            decided = await self._decided(currency_id, identity)
            if decided != currency_id:
                aliases.append(
                    (self._source, source_id, decided, symbol, identity.decided_by.value, self._decided_at)
                )
            elif symbol != known_symbol:
                symbols.append((self._source, source_id, symbol))
            currency_ids[identity.coin.source_id] = decided
        await self._write(aliases, symbols)
        return currency_ids

    async def _decided(self, known: int | None, identity: Identity) -> int:
        """`known`: the currency of the alias that there is."""
        if known is None:
            return identity.currency_id or await self._add_local(identity.coin)
        if known < FIRST_LOCAL_ID or identity.currency_id is None or identity.currency_id >= FIRST_LOCAL_ID:
            return known
        await self._merge(known, identity.currency_id)
        return identity.currency_id

    async def _add_local(self, coin: SourceCoin) -> int:
        added = 0
        while not added:
            number: int = await self._session.fetchval(_NEXT_ID[self._dialect])
            currency = Currency(
                id=number,
                name=coin.name,
                symbol=coin.symbol,
                slug=_slug(coin.name),
                rank=None,
                is_active=True,
                kind=CurrencyKind.LOCAL,
            )
            entry = CatalogEntry(currency, CurrencyMetadata())
            added = await write_new_currency(self._session, entry, self._decided_at)
        return number

    async def _merge(self, local: int, into: int) -> None:
        """What other sources call the local one comes along, unless the source has a coin there: no source may state
        two prices of one currency."""
        await self._session.execute(
            "UPDATE currencies SET merged_into = $2, is_active = false WHERE id = $1 AND merged_into IS NULL",
            local,
            into,
        )
        await self._session.execute(
            """
            UPDATE currency_aliases SET currency_id = $2
            WHERE currency_id = $1 AND source NOT IN (SELECT source FROM currency_aliases WHERE currency_id = $2)
            """,
            local,
            into,
        )

    async def _write(
        self, aliases: Sequence[tuple[object, ...]], symbols: Sequence[tuple[object, ...]]
    ) -> None:
        # A symbol belongs to one coin of its source: whoever had it before is not asked for by it any more.
        held = [(self._source, alias[3], alias[1]) for alias in aliases]
        held += [(self._source, symbol, source_id) for _, source_id, symbol in symbols]
        if held:
            await self._session.executemany(
                "UPDATE currency_aliases SET symbol = '' WHERE source = $1 AND symbol = $2 AND source_id <> $3",
                held,
            )
        if aliases:
            await self._session.executemany(
                """
                INSERT INTO currency_aliases (source, source_id, currency_id, symbol, decided_by, decided_at)
                VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (source, source_id) DO UPDATE SET
                    currency_id = excluded.currency_id, symbol = excluded.symbol,
                    decided_by = excluded.decided_by, decided_at = excluded.decided_at
                """,
                aliases,
            )
        if symbols:
            await self._session.executemany(
                "UPDATE currency_aliases SET symbol = $3 WHERE source = $1 AND source_id = $2", symbols
            )


async def _known(session: Session, source: str) -> dict[str, tuple[int, str]]:
    """Currency and symbol by source id."""
    rows = await session.fetch(
        "SELECT source_id, currency_id, symbol FROM currency_aliases WHERE source = $1", source
    )
    return {source_id: (currency_id, symbol) for source_id, currency_id, symbol in rows}


def _slug(name: str) -> str:
    """Letters and digits of any script, in lower case, and a hyphen for each gap between them."""
    return "-".join("".join(one if one.isalnum() else " " for one in name.casefold()).split())

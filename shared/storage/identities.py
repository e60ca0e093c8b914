"""Which currency a source's coin is, as it was decided: aliases, and the local currencies that stand for unknown coins.

No currency is two coins of one source. A decision is for good, but for two cases. A local currency stands for its coin only
until CoinMarketCap lists it. Then its aliases lead to the known currency, and it stays behind, merged, with the history
that was stored under it. And what people have looked up replaces what a rule, or people before, decided: the alias changes,
history does not.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.currency import FIRST_LOCAL_ID, CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.identity import DecidedBy, Identity, SourceCoin
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
        ORDER BY decided_by = 'hand', decided_at DESC, source_id DESC
    """,
    Dialect.SQLITE: """
        SELECT currency_id, symbol FROM currency_aliases
        WHERE source = $1 AND currency_id IN (SELECT value FROM json_each($2)) AND symbol <> ''
        ORDER BY decided_by = 'hand', decided_at DESC, source_id DESC
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
        return {source_id: alias.currency_id for source_id, alias in known.items()}

    async def symbols(self, source: str, currency_ids: Collection[int]) -> dict[int, str]:
        """The last of several rows of one currency counts."""
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


@dataclass(frozen=True, slots=True)
class _Alias:
    currency_id: int
    symbol: str
    decided_by: str


class _Ledger:
    """One transaction that enters decisions. It is alone: on SQLite every writer is, on PostgreSQL by its lock. So what was
    free when a decision was made may be given by now: what holds is what it reads itself."""

    def __init__(self, session: Session, dialect: Dialect, source: str, decided_at: datetime) -> None:
        self._session = session
        self._dialect = dialect
        self._source = source
        self._decided_at = decided_at
        self._known: dict[str, _Alias] = {}
        self._coins: dict[int, set[str]] = {}
        """By currency."""
        self._given_by_hand: set[int] = set()

    async def enter(self, identities: Sequence[Identity]) -> dict[str, int]:
        """The currency of each source id. The hand table comes first, for what it takes from a coin is decided anew."""
        self._known = await _known(self._session, self._source)
        for source_id, alias in self._known.items():
            self._coins.setdefault(alias.currency_id, set()).add(source_id)
        currency_ids: dict[str, int] = {}
        aliases: list[tuple[object, ...]] = []
        symbols: list[tuple[object, ...]] = []
        latest = {one.coin.source_id: one for one in identities}.values()
        for identity in sorted(latest, key=lambda one: one.decided_by is not DecidedBy.HAND):
            source_id, symbol = storable(identity.coin.source_id), storable(identity.coin.symbol)
            known = self._known.get(source_id)
            decided = await self._decided(source_id, identity)
            rule = identity.decided_by if decided == identity.currency_id else DecidedBy.NONE
            if known is None or known.currency_id != decided or _is_confirmed(known, rule):
                aliases.append((self._source, source_id, decided, symbol, rule.value, self._decided_at))
            elif symbol != known.symbol:
                symbols.append((self._source, source_id, symbol))
            if known is not None:
                self._coins[known.currency_id].discard(source_id)
            self._coins.setdefault(decided, set()).add(source_id)
            currency_ids[identity.coin.source_id] = decided
        await self._write(aliases, symbols)
        return currency_ids

    async def _decided(self, source_id: str, identity: Identity) -> int:
        known = self._known.get(source_id)
        wanted = await self._granted(source_id, identity)
        if known is None:
            return wanted or await self._add_local(identity.coin)
        if wanted is None or wanted >= FIRST_LOCAL_ID:
            return known.currency_id
        if known.currency_id >= FIRST_LOCAL_ID:
            await self._merge(known.currency_id, wanted)
        elif identity.decided_by is not DecidedBy.HAND:
            return known.currency_id
        return wanted

    async def _granted(self, source_id: str, identity: Identity) -> int | None:
        """The currency that was decided on, where this coin may be it: no other coin of the source is, or the hand table
        says that the other one is not."""
        wanted = identity.currency_id
        if wanted is None:
            return None
        others = self._coins.get(wanted, set()) - {source_id}
        if identity.decided_by is DecidedBy.HAND:
            if wanted in self._given_by_hand:
                return None
            self._given_by_hand.add(wanted)
            await self._release(others)
        elif others:
            return None
        return wanted

    async def _release(self, source_ids: Collection[str]) -> None:
        """Forgets what these coins are: they are decided anew when they are seen again."""
        for source_id in sorted(source_ids):
            await self._session.execute(
                "DELETE FROM currency_aliases WHERE source = $1 AND source_id = $2", self._source, source_id
            )
            self._coins[self._known.pop(source_id).currency_id].discard(source_id)

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


def _is_confirmed(known: _Alias, rule: DecidedBy) -> bool:
    """Whether people have now looked up what another rule had decided."""
    return rule is DecidedBy.HAND and known.decided_by != DecidedBy.HAND.value


async def _known(session: Session, source: str) -> dict[str, _Alias]:
    """By source id."""
    rows = await session.fetch(
        "SELECT source_id, currency_id, symbol, decided_by FROM currency_aliases WHERE source = $1", source
    )
    return {row[0]: _Alias(row[1], row[2], row[3]) for row in rows}


def _slug(name: str) -> str:
    """Letters and digits of any script, in lower case, and a hyphen for each gap between them."""
    return "-".join("".join(one if one.isalnum() else " " for one in name.casefold()).split())

"""Which currencies the coins of a ranking are.

A source that uses CoinMarketCap's ids names them itself; one that the catalog does not have yet was listed since, and is
added. Of a source with ids of its own the aliases say it. Decided is only what is not decided yet: new coins, and those
for which a local currency stands, as CoinMarketCap may have listed them since.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from shared.domain.currency import FIRST_LOCAL_ID, CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.identity import DecidedBy, Identity, SourceCoin, decide
from shared.domain.ranking import RankedCoin
from shared.domain.times import Clock
from shared.ports import RankingSource, Storage


@dataclass(frozen=True, slots=True)
class Names:
    """The currencies of a ranking's coins."""

    currency_ids: Mapping[str, int]
    """By the source's ids."""
    is_catalog_changed: bool
    """Currencies were added or merged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namer:
    """Names the coins of one source, and stores what it decides."""

    source: RankingSource
    catalog: Sequence[Currency]
    storage: Storage
    clock: Clock

    async def names_of(self, coins: Sequence[RankedCoin]) -> Names:
        if self.source.has_own_ids:
            return await self._own_names_of(coins)
        ids = {coin.source_id: int(coin.source_id) for coin in coins}
        known = {one.id for one in self.catalog}
        new = [_entry(coin) for coin in coins if ids[coin.source_id] not in known]
        added = await self.storage.add_currencies(new, stored_at=self.clock()) if new else 0
        return Names(ids, is_catalog_changed=added > 0)

    async def _own_names_of(self, coins: Sequence[RankedCoin]) -> Names:
        aliases = await self.storage.aliases(self.source.name)
        settled = {source_id: one for source_id, one in aliases.items() if one < FIRST_LOCAL_ID}
        identities = await self._decided(
            [_source_coin(coin) for coin in coins if coin.source_id not in settled],
            taken=set(settled.values()),
        )
        news = [
            *(one for one in identities if one.currency_id is not None or one.coin.source_id not in aliases),
            *await self._renamed(coins, settled),
        ]
        entered = (
            await self.storage.record_identities(self.source.name, news, decided_at=self.clock())
            if news
            else {}
        )
        changes = (_changes_catalog(aliases.get(source_id), one) for source_id, one in entered.items())
        return Names(aliases | entered, is_catalog_changed=any(changes))

    async def _decided(self, coins: Sequence[SourceCoin], *, taken: Collection[int]) -> list[Identity]:
        """Prices are only looked up where names alone do not tell."""
        decided = partial(decide, coins, currencies=self.catalog, by_hand=self.source.by_hand, taken=taken)
        identities = decided(prices={})
        open_symbols = {one.coin.symbol.casefold() for one in identities if one.currency_id is None}
        prices = await self._prices(_with_symbols(self.catalog, open_symbols).difference(taken))
        return decided(prices=prices) if prices else identities

    async def _prices(self, currency_ids: Collection[int]) -> dict[int, Decimal]:
        """The newest of each, of whatever source."""
        if not currency_ids:
            return {}
        rates = await self.storage.last_rates(sorted(currency_ids))
        return {rate.currency_id: rate.price_usd for rate in sorted(rates, key=lambda rate: rate.position)}

    async def _renamed(self, coins: Sequence[RankedCoin], settled: Mapping[str, int]) -> list[Identity]:
        """A source is asked for prices by its symbols, and gives a coin another one now and then. The alias stands, whoever
        decided on it: of these only the symbol is stored."""
        ranked = [coin for coin in coins if coin.source_id in settled]
        symbols = await self.storage.symbols(self.source.name, {settled[coin.source_id] for coin in ranked})
        return [
            Identity(_source_coin(coin), settled[coin.source_id], DecidedBy.NONE)
            for coin in ranked
            if symbols.get(settled[coin.source_id]) != coin.symbol
        ]


def _entry(coin: RankedCoin) -> CatalogEntry:
    currency = Currency(
        id=int(coin.source_id), name=coin.name, symbol=coin.symbol, slug=coin.slug, rank=None, is_active=True
    )
    return CatalogEntry(currency, CurrencyMetadata())


def _changes_catalog(before: int | None, after: int) -> bool:
    """Whether this decision made a local currency, or merged one."""
    return before != after and max(before or 0, after) >= FIRST_LOCAL_ID


def _with_symbols(catalog: Iterable[Currency], symbols: Collection[str]) -> set[int]:
    return {
        one.id
        for one in catalog
        if one.is_active and one.kind is CurrencyKind.CRYPTO and one.symbol.casefold() in symbols
    }


def _source_coin(coin: RankedCoin) -> SourceCoin:
    return SourceCoin(
        source_id=coin.source_id,
        symbol=coin.symbol,
        name=coin.name,
        price_usd=coin.price.price_usd if coin.price else None,
    )

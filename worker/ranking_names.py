"""Which currencies the coins of a ranking are.

A source that uses CoinMarketCap's ids names them itself; one that the catalog does not have yet was listed since, and is
added. Of a source with ids of its own the aliases say it. Decided is only what is not decided yet: new coins, and those
for which a local currency stands, as CoinMarketCap may have listed them since; and what the hand table says otherwise.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from shared.domain.currency import FIRST_LOCAL_ID, CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.identity import CurrencyIndex, DecidedBy, Identity, SourceCoin, decide
from shared.domain.ranking import RankedCoin
from shared.domain.rate import Observation
from shared.domain.times import Clock
from shared.ports import RankingSource, Storage

OLDEST_PRICE = timedelta(hours=1)
"""Since a price was last confirmed. As old as a rate of CoinMarketCap may be: prices that move by a tenth within it are few,
and an older one may be that of quite another coin."""


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
        corrected = self._corrected(coins, aliases)
        settled = {
            source_id: one
            for source_id, one in aliases.items()
            if one < FIRST_LOCAL_ID and source_id not in corrected
        }
        identities = await self._decided(
            [coin for coin in coins if coin.source_id not in settled], taken=set(settled.values())
        )
        kept = aliases.keys() - corrected
        decided = [one for one in identities if one.currency_id is not None or one.coin.source_id not in kept]
        decided_ids = {one.coin.source_id for one in decided}
        renamed = await self._renamed((coin for coin in coins if coin.source_id not in decided_ids), aliases)
        news = [*decided, *renamed]
        entered = (
            await self.storage.record_identities(self.source.name, news, decided_at=self.clock())
            if news
            else {}
        )
        changes = (_changes_catalog(aliases.get(source_id), one) for source_id, one in entered.items())
        return Names(aliases | entered, is_catalog_changed=any(changes))

    def _corrected(self, coins: Iterable[RankedCoin], aliases: Mapping[str, int]) -> set[str]:
        """The coins whose aliases the hand table contradicts: another currency stands there for them, or another coin for
        their currency. Only for coins of this ranking, and only with lines whose currency the catalog has."""
        known = {one.id for one in self.catalog if one.kind is CurrencyKind.CRYPTO}
        lines = {
            coin.source_id: currency_id
            for coin in coins
            if (currency_id := self.source.by_hand.get(coin.source_id)) in known
        }
        owners = {currency_id: source_id for source_id, currency_id in lines.items()}
        displaced = {
            source_id
            for source_id, currency_id in aliases.items()
            if owners.get(currency_id, source_id) != source_id
        }
        gaining = {owners[aliases[source_id]] for source_id in displaced}
        other = {source_id for source_id, one in lines.items() if aliases.get(source_id, one) != one}
        return displaced | gaining | other

    async def _decided(self, coins: Sequence[RankedCoin], *, taken: Collection[int]) -> list[Identity]:
        """Prices are only looked up where names alone do not tell. The index of the catalog, and many decisions, take too long
        for an event loop, so both have a thread."""
        if not coins:
            return []
        now = self.clock()
        asked = [self._source_coin(coin, now=now) for coin in coins]
        index = await asyncio.to_thread(CurrencyIndex, self.catalog)
        decided = partial(decide, asked, currencies=index, by_hand=self.source.by_hand, taken=taken)
        identities = await asyncio.to_thread(decided, prices={})
        undecided = {one.coin.symbol for one in identities if one.currency_id is None}
        alike = await asyncio.to_thread(index.with_symbols, undecided)
        prices = await self._prices(alike.difference(taken))
        return await asyncio.to_thread(decided, prices=prices) if prices else identities

    async def _prices(self, currency_ids: Collection[int]) -> dict[int, Decimal]:
        """The newest of each, of whatever other source: what this one said of a currency was said of the coin that was
        it."""
        if not currency_ids:
            return {}
        now = self.clock()
        rates = await self.storage.last_rates(sorted(currency_ids))
        return {
            rate.currency_id: rate.price_usd
            for rate in sorted(rates, key=lambda rate: rate.position)
            if rate.source != self.source.name and abs(now - rate.fetched_at) <= OLDEST_PRICE
        }

    async def _renamed(self, coins: Iterable[RankedCoin], aliases: Mapping[str, int]) -> list[Identity]:
        """A source is asked for prices by its symbols, and gives a coin another one now and then. The alias stands, whoever
        decided on it, and whether its currency is local: of these only the symbol is stored."""
        known = [coin for coin in coins if coin.source_id in aliases]
        symbols = await self.storage.symbols(self.source.name, {aliases[coin.source_id] for coin in known})
        return [
            Identity(
                SourceCoin(source_id=coin.source_id, symbol=coin.symbol, name=coin.name),
                None,
                DecidedBy.NONE,
            )
            for coin in known
            if symbols.get(aliases[coin.source_id]) != coin.symbol
        ]

    def _source_coin(self, coin: RankedCoin, *, now: datetime) -> SourceCoin:
        """With its price only where that would be stored as a rate."""
        price = coin.price
        if price is not None:
            # No currency has this id: which one it is, is what is asked.
            stated = Observation.of(price, currency_id=0, source=self.source.name)
            if stated.refusal(now=now, oldest=self.source.oldest_observation):
                price = None
        return SourceCoin(
            source_id=coin.source_id,
            symbol=coin.symbol,
            name=coin.name,
            price_usd=price.price_usd if price else None,
        )


def _entry(coin: RankedCoin) -> CatalogEntry:
    currency = Currency(
        id=int(coin.source_id), name=coin.name, symbol=coin.symbol, slug=coin.slug, rank=None, is_active=True
    )
    return CatalogEntry(currency, CurrencyMetadata())


def _changes_catalog(before: int | None, after: int) -> bool:
    """Whether this decision made a local currency, or merged one."""
    return before != after and max(before or 0, after) >= FIRST_LOCAL_ID

"""What the price polls cover, and the profiles with them: the top by CoinMarketCap's rank, the top of the last ranking, the named currencies, and the
warm ones, which somebody asked for of late. The fiat currencies have a poll of their own."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.domain.currency import USD_ID, Currency, CurrencyKind
from shared.domain.ranking import Ranking
from shared.opening import World
from shared.settings import Settings

MOST_WARM = 500
"""Whoever asks for one currency after the other must not make the polls ever dearer: at CoinMarketCap these are 5 credits."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a price poll covers."""

    top: frozenset[int]
    """By yesterday's ranks: one that has left the top since then need not be chased."""
    named: frozenset[int]
    """By their symbols, by the last ranking, or as somebody asks for them: these are wanted, wherever they rank by now."""
    ranks: dict[int, int]
    """Of the top: only a listing of it may be cheaper."""
    known: frozenset[int]
    """All that may be stored when a listing brings it: the top of today."""

    @property
    def all(self) -> frozenset[int]:
        return self.top | self.named

    def without(self, currency_ids: Collection[int]) -> "Tracked":
        return replace(self, top=self.top.difference(currency_ids), named=self.named.difference(currency_ids))


def tracked(catalog: Sequence[Currency], settings: Settings, ranking: Ranking | None) -> Tracked:
    """`catalog` by rank. A symbol in TRACKED_SYMBOLS means its best-ranked active currency. Currencies of the ranking may
    be local: they are asked of the sources that know them."""
    active = {one.id: one for one in catalog if one.is_active and one.kind is not CurrencyKind.FIAT}
    crypto = [one for one in active.values() if one.kind is CurrencyKind.CRYPTO]
    by_symbol: dict[str, int] = {}
    for one in crypto:
        by_symbol.setdefault(one.symbol.casefold(), one.id)
    named = {by_symbol.get(symbol.casefold()) for symbol in settings.tracked_symbols}
    ranked = ranking.currency_ids[: settings.tracked_top] if ranking else ()
    ranks = {one.id: one.rank for one in crypto if one.rank is not None and one.rank <= settings.tracked_top}
    return Tracked(
        top=frozenset(ranks),
        named=frozenset(one for one in (*named, *ranked) if one in active),
        ranks=ranks,
        known=frozenset(one.id for one in crypto),
    )


async def covered(world: World, catalog: Sequence[Currency], ranking: Ranking | None) -> Tracked:
    """What is tracked, and the warm ones beside it, the last asked for first."""
    what = tracked(catalog, world.settings, ranking)
    if not world.settings.warm_hours:
        return what
    others = {one.id for one in catalog if one.is_active and one.kind is not CurrencyKind.FIAT} - what.all
    now = world.clock()
    asked = await world.storage.in_demand_since(
        now - timedelta(hours=world.settings.warm_hours),
        # All that is covered anyhow, or not to be polled, may have been asked for since.
        limit=MOST_WARM + len(catalog) - len(others),
        now=now,
    )
    warm = [one for one in asked if one in others][:MOST_WARM]
    return replace(what, named=what.named.union(warm))


def fiats(catalog: Sequence[Currency]) -> frozenset[int]:
    """The active fiat currencies that have a price."""
    return frozenset(
        one.id for one in catalog if one.is_active and one.kind is CurrencyKind.FIAT and one.id != USD_ID
    )

"""What the price polls cover: the top by CoinMarketCap's rank, the top of the last ranking, and the named currencies."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from shared.domain.currency import Currency, CurrencyKind
from shared.domain.ranking import Ranking
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a price poll covers."""

    top: frozenset[int]
    """By yesterday's ranks: one that has left the top since then need not be chased."""
    named: frozenset[int]
    """By their symbols, or by the last ranking: these are wanted, wherever they rank by now."""
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

"""Quotes of a past moment: rates as they were known then. No worker is asked, and nothing is kept."""

import math
from collections.abc import Collection
from datetime import datetime, timedelta

from api.quotes.sides import EncodedSide, bare_side, known_side
from shared.domain.currency import Currency, CurrencyKind
from shared.domain.ranking import TopRow
from shared.ports import Storage
from shared.settings import Settings

FIAT_WITHIN = timedelta(days=7)
"""The European Central Bank states no rates over a weekend and holidays, so that old its rate is still the one in force."""
FIAT_RESTS = timedelta(days=5)
"""From Thursday to Tuesday: the longest that it rests, over Easter."""
_SECOND = timedelta(seconds=1)


class PastRates:
    """Reads what was in force at a moment."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        self._storage = storage
        self._sources = settings.sources
        self._fiat_sources = settings.price_sources
        self._stale_after = settings.stale_after

    async def sides(
        self, currencies: Collection[Currency], priced: Collection[int], moment: datetime
    ) -> dict[int, EncodedSide]:
        """All of these, with rates of those that need one. Raises StorageUnavailable."""
        wanted = {one.id: one for one in currencies}
        fiat = [one for one in priced if wanted[one].kind is CurrencyKind.FIAT]
        rows = await self._rows(
            [one for one in priced if one not in fiat], moment, self._sources, self._stale_after
        )
        rows |= await self._rows(fiat, moment, self._fiat_sources, FIAT_WITHIN)
        return {one: self._side(currency, rows.get(one), moment) for one, currency in wanted.items()}

    async def _rows(
        self, currency_ids: list[int], moment: datetime, sources: tuple[str, ...], within: timedelta
    ) -> dict[int, TopRow]:
        if not currency_ids:
            return {}
        rows = await self._storage.top_as_of(
            currency_ids, moment, first_rank=1, sources=sources, stale_after=within
        )
        return {row.currency_id: row for row in rows}

    def _side(self, currency: Currency, row: TopRow | None, moment: datetime) -> EncodedSide:
        if row is None or row.price_usd is None or row.source is None or row.observed_at is None:
            return bare_side(currency)
        age = moment - row.observed_at
        rests = FIAT_RESTS if currency.kind is CurrencyKind.FIAT else timedelta(0)
        return known_side(
            currency,
            row.price_usd,
            row.source,
            row.observed_at,
            since=math.floor(moment.timestamp()) - age // _SECOND,
            is_stale=age > self._stale_after + rests,
            tag=f"{row.price_usd} {row.source} {row.observed_at}",
        )

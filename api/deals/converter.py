"""Computes what customers spent in another currency, each deal at the rate of its own date."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from api.answers import Answer
from api.deals.encoding import converted_body, deals_answer
from api.deals.summaries import Summaries
from api.quotes.past import FIAT_WITHIN
from shared.domain.currency import USD_ID, Currency, CurrencyKind
from shared.domain.deals import BigSpender, PriceRule
from shared.domain.spending import Spending, Spendings
from shared.domain.times import Clock
from shared.errors import InvalidInput, StorageUnavailable
from shared.ports import Storage
from shared.settings import Settings

MOST_DEALS = 20_000
"""Of the customers of one answer."""
WITHIN = timedelta(days=1)
"""How much older than its deal a rate may be; of a fiat currency FIAT_WITHIN."""
_SLICE = 500
"""Deals that are summed up at once, in about a millisecond."""
_TRIES = 3
"""Times that the deals may be replaced while they are read."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wish:
    """What an answer is for."""

    upload_id: int
    count: int
    """Customers."""
    base: Currency
    """Of the deals."""
    target: Currency


class Converter:
    """Holds all deals of an answer in memory while it computes that."""

    def __init__(self, *, storage: Storage, summaries: Summaries, settings: Settings, clock: Clock) -> None:
        self._storage = storage
        self._summaries = summaries
        self._settings = settings
        self._clock = clock

    async def answer(self, wish: Wish) -> tuple[Wish, Answer]:
        """With the wish as it was granted: of the upload that it names, or of one that is current since.

        Raises InvalidInput for too many deals, and StorageUnavailable.
        """
        upload_id: int | None = wish.upload_id
        for _ in range(_TRIES):
            summary = await self._summaries.of(upload_id) if upload_id is not None else None
            if summary is None:
                break
            granted = replace(wish, upload_id=summary.upload.id)
            spenders = summary.spenders[: wish.count]
            spendings = await self._spendings(spenders, granted)
            if spendings is not None:
                return granted, await _encoded(spenders, spendings, granted)
            upload_id = await self._storage.current_upload()
        raise StorageUnavailable("The deals were replaced again and again while they were read.")

    async def _spendings(self, spenders: Sequence[BigSpender], wish: Wish) -> Mapping[str, Spending] | None:
        """By customer; None where the upload is not the current one any more."""
        if wish.base.id == wish.target.id:
            return {one.name: Spending(one.spent) for one in spenders}
        rules = [self._rule(one) for one in (wish.base, wish.target) if one.id != USD_ID]
        names = [one.name for one in spenders]
        deals = await self._storage.priced_deals(
            wish.upload_id, names, rules, now=self._clock(), limit=MOST_DEALS + 1
        )
        if len(deals) > MOST_DEALS:
            raise _too_many(len(names))
        if not deals:
            return None
        spendings = Spendings(is_from_dollar=wish.base.id == USD_ID, is_to_dollar=wish.target.id == USD_ID)
        await _in_slices(spendings.add, deals)
        await _in_slices(spendings.convert, spendings.batches())
        return {name: spendings.of(name) for name in names}

    def _rule(self, currency: Currency) -> PriceRule:
        is_fiat = currency.kind is CurrencyKind.FIAT
        return PriceRule(
            currency_id=currency.id,
            sources=self._settings.price_sources if is_fiat else self._settings.sources,
            within_seconds=int((FIAT_WITHIN if is_fiat else WITHIN).total_seconds()),
        )


async def _encoded(spenders: Sequence[BigSpender], spendings: Mapping[str, Spending], wish: Wish) -> Answer:
    symbol = wish.target.symbol
    return await deals_answer(wish.upload_id, spenders, lambda: converted_body(spenders, spendings, symbol))


async def _in_slices(work: Callable[[Sequence[T]], None], items: Sequence[T]) -> None:
    """So that nobody else waits for more than a slice."""
    for start in range(0, len(items), _SLICE):
        work(items[start : start + _SLICE])
        await asyncio.sleep(0)


def _too_many(count: int) -> InvalidInput:
    which, advice = (
        (f"These {count} customers have", "Ask for fewer customers.")
        if count > 1
        else ("This customer has", "Ask without `convert`.")
    )
    return InvalidInput(
        {"top": [f"{which} more than {MOST_DEALS:,} deals, and no more are converted at once. {advice}"]}
    )

"""What customers spent, in another currency, each deal at the rate of its own date.

History does not change, but it may be filled in, so an answer is kept for CACHE_TTL_SECONDS only. Who asks for the same while
it is computed shares that; one is computed at a time, for all deals of its customers lie in memory then.
"""

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from api.answers import Answer
from api.asking import Asking
from api.catalog import Catalog
from api.deals.encoding import converted_body, deals_answer
from api.quotes.past import FIAT_WITHIN
from api.symbols import Symbols
from shared.domain.currency import USD_ID, Currency, CurrencyKind
from shared.domain.deals import BigSpender, PriceRule
from shared.domain.spending import Spending, Spendings
from shared.domain.times import Clock
from shared.errors import (
    CatalogNotLoaded,
    DeadlineExceeded,
    FreshrateError,
    InvalidInput,
    StorageUnavailable,
    TooManyRequests,
)
from shared.ports import Storage
from shared.settings import Settings

MOST_DEALS = 20_000
"""Of the customers of one answer."""
MOST_WAITING = 32
"""Conversions that are computed or wait for that."""
LARGEST_CACHE = 4 * 1024 * 1024
"""Bytes."""
WITHIN = timedelta(days=1)
"""How much older than its deal a rate may be; of a fiat currency FIAT_WITHIN."""
_SLICE = 500
"""Deals that are summed up at once, in about a millisecond."""
_TRIES = 3
"""Times that the deals may be replaced while they are read."""
_NO_TARGET = "There is no currency {}. GET /api/currencies/ lists those that exist."
_NO_BASE = "Cannot be used here: the deals are in {}, by DEALS_CURRENCY of this service, and its catalog has no such currency."

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


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    until: float
    """Since 1970."""


class Conversions:
    """The answers of now, and those that are being computed."""

    def __init__(
        self, *, storage: Storage, catalog: Catalog, symbols: Symbols, settings: Settings, clock: Clock
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._symbols = symbols
        self._settings = settings
        self._clock = clock
        self._kept: dict[Wish, _Kept] = {}
        self._tasks: dict[Wish, asyncio.Task[Answer | FreshrateError]] = {}
        self._turn = asyncio.Lock()

    async def answer(self, count: int, symbol: str, asking: Asking) -> Answer:
        """So many customers. Raises InvalidInput for a currency that there is not and for too many deals, DeadlineExceeded,
        TooManyRequests, StorageUnavailable, CatalogNotLoaded, and the failure that kept the catalog from being renewed."""
        target = await self._target(symbol, asking)
        base = self._base()
        upload_id = await self._storage.current_upload()
        if upload_id is None:
            return await deals_answer(None, (), lambda: converted_body((), {}, target.symbol))
        wish = Wish(upload_id, count, base, target)
        kept = self._kept.get(wish)
        if kept is not None and self._clock().timestamp() < kept.until:
            return kept.answer
        return await self._shared(wish, asking)

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Currencies

    async def _target(self, symbol: str, asking: Asking) -> Currency:
        known = self._catalog.target(symbol)
        if known is not None:
            return known
        error = await self._symbols.seek([symbol], asking)
        known = self._catalog.target(symbol)
        if known is None:
            raise error or InvalidInput(
                {"convert": [f"There is no currency {symbol}. GET /api/currencies/ lists those that exist."]}
            )
        return known

    def _base(self) -> Currency:
        code = self._settings.deals_currency
        known = self._catalog.target(code)
        if known is not None:
            return known
        if not self._catalog.is_loaded:
            raise CatalogNotLoaded(retry_after=5.0)
        raise InvalidInput({"convert": [_NO_BASE.format(code)]})

    def _rule(self, currency: Currency) -> PriceRule:
        is_fiat = currency.kind is CurrencyKind.FIAT
        return PriceRule(
            currency_id=currency.id,
            sources=self._settings.price_sources if is_fiat else self._settings.sources,
            within_seconds=int((FIAT_WITHIN if is_fiat else WITHIN).total_seconds()),
        )

    # One at a time

    async def _shared(self, wish: Wish, asking: Asking) -> Answer:
        task = self._tasks.get(wish)
        if task is None:
            if len(self._tasks) >= MOST_WAITING:
                raise TooManyRequests(
                    "As many conversions as this service computes at once are asked for.", retry_after=5.0
                )
            task = self._tasks[wish] = asyncio.create_task(
                self._outcome(wish), name="conversion of deals", context=Context()
            )
            task.add_done_callback(lambda _task: self._tasks.pop(wish, None))
        await asyncio.wait([task], timeout=asking.left())
        if not task.done():
            raise DeadlineExceeded("The conversion takes longer. It goes on, so ask again in some seconds.")
        outcome = task.result()
        if isinstance(outcome, FreshrateError):
            raise copy.copy(outcome)
        return outcome

    async def _outcome(self, wish: Wish) -> Answer | FreshrateError:
        try:
            async with self._turn:
                return await self._computed(wish)
        except FreshrateError as error:
            return error

    async def _computed(self, wish: Wish) -> Answer:
        for _ in range(_TRIES):
            summary = await self._storage.deals_summary()
            if summary is None:
                break
            wish = replace(wish, upload_id=summary.upload.id)
            spendings = await self._spendings(summary.spenders[: wish.count], wish)
            if spendings is not None:
                return await self._encoded(summary.spenders[: wish.count], spendings, wish)
        raise StorageUnavailable("The deals were replaced again and again while they were read.")

    async def _spendings(self, spenders: Sequence[BigSpender], wish: Wish) -> Mapping[str, Spending] | None:
        """By customer; None where the upload is not the current one any more."""
        if wish.base.id == wish.target.id:
            return {one.name: Spending(one.spent) for one in spenders}
        rules = [self._rule(one) for one in (wish.base, wish.target) if one.id != USD_ID]
        names = [one.name for one in spenders]
        deals = await self._storage.priced_deals(wish.upload_id, names, rules, limit=MOST_DEALS + 1)
        if len(deals) > MOST_DEALS:
            raise _too_many(len(names))
        if not deals:
            return None
        spendings = Spendings(is_from_dollar=wish.base.id == USD_ID, is_to_dollar=wish.target.id == USD_ID)
        await _in_slices(spendings.add, deals)
        await _in_slices(spendings.convert, spendings.batches())
        return {name: spendings.of(name) for name in names}

    async def _encoded(
        self, spenders: Sequence[BigSpender], spendings: Mapping[str, Spending], wish: Wish
    ) -> Answer:
        symbol = wish.target.symbol
        answer = await deals_answer(
            wish.upload_id, spenders, lambda: converted_body(spenders, spendings, symbol)
        )
        self._keep(wish, answer)
        return answer

    def _keep(self, wish: Wish, answer: Answer) -> None:
        """What is past its life, or of another upload, is forgotten; then the first to come."""
        now = self._clock().timestamp()
        self._kept.pop(wish, None)
        self._kept[wish] = _Kept(answer, now + self._settings.cache_ttl_seconds)
        for one, kept in list(self._kept.items()):
            if now >= kept.until or one.upload_id != wish.upload_id:
                del self._kept[one]
        size = sum(len(kept.answer.body) for kept in self._kept.values())
        while size > LARGEST_CACHE and len(self._kept) > 1:
            size -= len(self._kept.pop(next(iter(self._kept))).answer.body)


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

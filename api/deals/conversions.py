"""What customers spent in another currency: the answers that are kept, and those that are being computed.

History does not change, but it may be filled in, so an answer is kept for CACHE_TTL_SECONDS only. Who asks for the same while
it is computed shares that; one is computed at a time, for all deals of its customers lie in memory then.
"""

import asyncio
from dataclasses import dataclass

from api.answers import Answer
from api.asking import Asking
from api.catalog import Catalog
from api.deals.converter import Converter, Wish
from api.deals.encoding import converted_body, deals_answer
from api.deals.sharing import SharedWork
from api.deals.summaries import Summaries
from api.symbols import Symbols
from shared.domain.currency import Currency
from shared.domain.times import Clock
from shared.errors import CatalogNotLoaded, InvalidInput, TooManyRequests
from shared.ports import Storage
from shared.settings import Settings

MOST_WAITING = 32
"""Conversions that are computed or wait for that."""
LARGEST_CACHE = 4 * 1024 * 1024
"""Bytes."""
_NO_TARGET = "There is no currency {}. GET /api/currencies/ lists those that exist."
_NO_BASE = "Cannot be used here: the deals are in {}, by DEALS_CURRENCY of this service, and its catalog has no such currency."


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    until: float
    """Since 1970."""


class Conversions:
    """The answers of now, and those that are being computed."""

    def __init__(
        self,
        *,
        storage: Storage,
        summaries: Summaries,
        catalog: Catalog,
        symbols: Symbols,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._symbols = symbols
        self._settings = settings
        self._clock = clock
        self._converter = Converter(storage=storage, summaries=summaries, settings=settings, clock=clock)
        self._kept: dict[Wish, _Kept] = {}
        self._under_way: SharedWork[Wish, Answer] = SharedWork(self._computed, name="conversion of deals")
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
        await self._under_way.close()

    # Currencies

    async def _target(self, symbol: str, asking: Asking) -> Currency:
        known = self._catalog.target(symbol)
        if known is not None:
            return known
        error = await self._symbols.seek([symbol], asking)
        known = self._catalog.target(symbol)
        if known is None:
            raise error or InvalidInput({"convert": [_NO_TARGET.format(symbol)]})
        return known

    def _base(self) -> Currency:
        code = self._settings.deals_currency
        known = self._catalog.target(code)
        if known is not None:
            return known
        if not self._catalog.is_loaded:
            raise CatalogNotLoaded(retry_after=5.0)
        raise InvalidInput({"convert": [_NO_BASE.format(code)]})

    # One at a time

    async def _shared(self, wish: Wish, asking: Asking) -> Answer:
        if wish not in self._under_way and len(self._under_way) >= MOST_WAITING:
            raise TooManyRequests(
                "As many conversions as this service computes at once are asked for.", retry_after=5.0
            )
        return await self._under_way.result(wish, within=asking.left())

    async def _computed(self, wish: Wish) -> Answer:
        async with self._turn:
            granted, answer = await self._converter.answer(wish)
        self._keep(granted, answer)
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

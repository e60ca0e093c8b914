"""Rates out of nowhere: stored and announced as a worker does it, at the moment that a test or a benchmark chooses."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.rate import Observation, Rate, RecordedRate
from shared.domain.times import utc_now
from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.ports import Queue, Storage
from shared.queue import open_queue
from shared.settings import Settings
from shared.storage import open_storage
from shared.visitor import facts_of_rates

PREFERRED, OTHER = "coinmarketcap", "cryptocompare"
"""Sources. While the first has a rate that is not stale, nobody is served one of the second."""
_ONE = timedelta(microseconds=1)


class Feed:
    """A worker without a source. Every observation is later than all before it."""

    def __init__(self, storage: Storage, queue: Queue) -> None:
        self._storage = storage
        self._queue = queue
        self._newest = utc_now()
        self._last: dict[tuple[int, str], Observation] = {}

    @classmethod
    @asynccontextmanager
    async def opened(cls, env: Mapping[str, str], currency_ids: Iterable[int]) -> AsyncIterator["Feed"]:
        """`env`: has DATABASE_URL and REDIS_URL. These currencies are all that the catalog has then."""
        settings = Settings(database_url=env["DATABASE_URL"], redis_url=env["REDIS_URL"])
        entries = [_entry(one) for one in currency_ids]
        async with AsyncExitStack() as stack:
            storage = await open_storage(settings)
            stack.push_async_callback(storage.close)
            queue = await open_queue(settings)
            stack.push_async_callback(queue.close)
            await storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=utc_now())
            yield cls(storage, queue)

    async def store(self, currency_ids: Iterable[int], *, source: str = PREFERRED) -> list[RecordedRate]:
        """A new rate of each, committed and not announced."""
        self._newest = max(utc_now(), self._newest + _ONE)
        made = [_observation(one, source, self._newest) for one in currency_ids]
        self._last |= {(one.currency_id, source): one for one in made}
        return await self._record(made)

    async def confirm(self, currency_ids: Iterable[int]) -> list[RecordedRate]:
        """What the preferred source stated last of each, stated again: committed and not announced."""
        return await self._record([self._last[one, PREFERRED] for one in currency_ids])

    async def announce(self, recorded: Sequence[RecordedRate]) -> None:
        await self._queue.announce(facts_of_rates(recorded))

    async def tell(self, currency_ids: Iterable[int], *, source: str = PREFERRED) -> list[Rate]:
        """Stores and announces."""
        recorded = await self.store(currency_ids, source=source)
        await self.announce(recorded)
        return [one.rate for one in recorded]

    async def _record(self, observations: Sequence[Observation]) -> list[RecordedRate]:
        now = utc_now()
        visit = Visit(
            source=observations[0].source,
            reason=VisitReason.POLL,
            what=f"quotes of {len(observations)}",
            started_at=now,
            duration=timedelta(),
            outcome=VisitOutcome.DONE,
            credits=1,
            rates_stored=0,
        )
        return await self._storage.record_rates(observations, fetched_at=now, stored_at=now, visit=visit)


def _entry(currency_id: int) -> CatalogEntry:
    name = f"Coin {currency_id}"
    currency = Currency(
        id=currency_id,
        name=name,
        symbol=f"C{currency_id}",
        slug=f"coin-{currency_id}",
        rank=currency_id,
        is_active=True,
    )
    return CatalogEntry(currency, CurrencyMetadata())


def _observation(currency_id: int, source: str, observed_at: datetime) -> Observation:
    return Observation(
        currency_id=currency_id,
        source=source,
        price_usd=Decimal("92637.518264912837") / currency_id,
        volume_24h=Decimal("41234567890.123456"),
        market_cap=Decimal("1837465564758.3847"),
        percent_change_1h=0.18374,
        percent_change_24h=-1.83746,
        observed_at=observed_at,
    )

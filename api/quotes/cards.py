"""What an answer says of each currency besides its prices, encoded and kept: it changes with the catalog only."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextvars import Context
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from api.catalog import Base, Catalog
from api.encoding import currency_json, description_json
from shared.domain.currency import Currency, CurrencyMetadata, CurrencyProfile
from shared.errors import StorageUnavailable
from shared.outage_log import OutageLog
from shared.ports import Description, Storage

LARGEST_CACHE = 4 * 1024 * 1024
"""Bytes."""
_NOTHING = Description(CurrencyMetadata(), CurrencyProfile())


@dataclass(frozen=True, slots=True)
class Card:
    """The beginning of a currency's result."""

    body: bytes
    tag: bytes
    """Another one whenever the body is another."""


_Reading = asyncio.Task[Mapping[int, Card]]


class Cards:
    """By currency, within a bound of bytes: the first to come is the first to be forgotten."""

    def __init__(self, storage: Storage, catalog: Catalog) -> None:
        self._storage = storage
        self._catalog = catalog
        self._cards: dict[int, Card] = {}
        self._readings: dict[int, _Reading] = {}
        """What is being read, for the catalog of now."""
        self._tasks: set[_Reading] = set()
        self._generation = -1
        self._outage = OutageLog("descriptions not read", "descriptions read again")
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._cards)

    def at_hand(self, bases: Iterable[Base]) -> Mapping[int, Card] | None:
        """What memory has, where that is all of these; without any I/O."""
        self._renew()
        cards = self._cards
        return cards if all([one.currency.id in cards for one in bases]) else None  # noqa: C419 - a third of the price

    async def of(self, currencies: Iterable[Currency], *, within: float) -> dict[int, Card]:
        """Those of all these, by one statement for what memory lacks, shared with whoever lacks the same. Where the store does
        not answer within so many seconds, a card says of a currency what the catalog in memory knows, and is not kept."""
        wanted = {one.id: one for one in currencies}
        self._renew()
        cards = {one: self._cards[one] for one in wanted if one in self._cards}
        missing = [one for one in wanted if one not in cards]
        if missing:
            for reading in await self._read(missing, within):
                cards |= reading.result()
        for one in wanted.keys() - cards.keys():
            cards[one] = _card(self._catalog.get(one) or wanted[one], _NOTHING)
        return cards

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, currency_ids: Collection[int], within: float) -> set[_Reading]:
        """The readings of these that have come to their end."""
        new = [one for one in currency_ids if one not in self._readings]
        if new:
            task = asyncio.create_task(
                self._made(new, self._generation), name="descriptions", context=Context()
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self._readings.update(dict.fromkeys(new, task))
        ended, _ = await asyncio.wait({self._readings[one] for one in currency_ids}, timeout=within)
        return ended

    async def _made(self, currency_ids: Collection[int], generation: int) -> Mapping[int, Card]:
        """By the catalog as it is after the reading, and kept where that is of the generation for which they are read."""
        try:
            told = await self._storage.descriptions(currency_ids)
            self._outage.note_success()
        except StorageUnavailable as error:
            self._outage.note_failure(error)
            return {}
        finally:
            if generation == self._generation:
                for one in currency_ids:
                    del self._readings[one]
        known = ((one, self._catalog.get(one)) for one in currency_ids)
        cards = {one: _card(currency, told.get(one, _NOTHING)) for one, currency in known if currency}
        if generation == self._catalog.generation:
            self._keep(cards)
        return cards

    def _keep(self, cards: Mapping[int, Card]) -> None:
        for currency_id, card in cards.items():
            old = self._cards.pop(currency_id, None)
            self.bytes += len(card.body) - (len(old.body) if old else 0)
            self._cards[currency_id] = card
        while self.bytes > LARGEST_CACHE and len(self._cards) > 1:
            self.bytes -= len(self._cards.pop(next(iter(self._cards))).body)

    def _renew(self) -> None:
        """Forgets all where the catalog is another."""
        if self._generation != self._catalog.generation:
            self._cards.clear()
            self._readings.clear()
            self.bytes, self._generation = 0, self._catalog.generation


def _card(currency: Currency, told: Description) -> Card:
    body = orjson.dumps({**currency_json(currency), **description_json(told.metadata, told.profile)})[:-1]
    return Card(body, blake2b(body, digest_size=12).digest())

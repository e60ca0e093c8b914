"""What an answer says of each currency besides its prices, encoded and kept: it changes with the catalog only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from api.catalog import Catalog
from api.encoding import currency_json, description_json
from api.symbols import Base
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


class Cards:
    """By currency, within a bound of bytes: the first to come is the first to be forgotten."""

    def __init__(self, storage: Storage, catalog: Catalog) -> None:
        self._storage = storage
        self._catalog = catalog
        self._cards: dict[int, Card] = {}
        self._generation = -1
        self._outage = OutageLog("descriptions not read", "descriptions read again")
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._cards)

    def at_hand(self, bases: Iterable[Base]) -> Mapping[int, Card] | None:
        """What memory has, where that is all of these; without any I/O."""
        self._renew()
        return self._cards if all(one.currency.id in self._cards for one in bases) else None

    async def of(self, currencies: Iterable[Currency]) -> dict[int, Card]:
        """Those of all these, by one statement for what memory lacks. Where the store does not answer, a card says of a
        currency what the catalog in memory knows, and is not kept."""
        wanted = {one.id: one for one in currencies}
        self._renew()
        cards = {one: self._cards[one] for one in wanted if one in self._cards}
        missing = [one for one in wanted if one not in cards]
        if not missing:
            return cards
        generation = self._catalog.generation
        try:
            told = await self._storage.descriptions(missing)
        except StorageUnavailable as error:
            self._outage.note_failure(error)
            return cards | {one: _card(wanted[one], _NOTHING) for one in missing}
        self._outage.note_success()
        made = {one: _card(wanted[one], told.get(one, _NOTHING)) for one in missing}
        if generation == self._catalog.generation:
            self._keep(made)
        return cards | made

    def _keep(self, cards: dict[int, Card]) -> None:
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
            self.bytes, self._generation = 0, self._catalog.generation


def _card(currency: Currency, told: Description) -> Card:
    body = orjson.dumps({**currency_json(currency), **description_json(told.metadata, told.profile)})[:-1]
    return Card(body, blake2b(body, digest_size=12).digest())

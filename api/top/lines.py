"""The rows of the list of now by currency: which price each shows, how old that is, and its encoded forms.

A row is looked at again when something about its currency changed, or when its time comes; its bytes are made again only
where they would be others. All lists, of any length and format, share them.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.catalog import Catalog
from api.memory import RateMemory
from api.top.formats import ENCODINGS, Format
from shared.domain.currency import Currency
from shared.domain.ranking import TopRow
from shared.domain.rate import Rate


@dataclass(slots=True, eq=False)
class Line:
    """One currency. Times in seconds since 1970."""

    currency: Currency
    rate: Rate | None = None
    """The one that is shown."""
    fetched: float = math.inf
    """When it was fetched; infinite where there is none."""
    looks_again: float = -math.inf
    """From then on another rate may be the one to show."""
    _tails: dict[Format, bytes] = field(default_factory=dict)

    def tail(self, format_: Format) -> bytes:
        """Its encoded form, without the rank."""
        tail = self._tails.get(format_)
        if tail is None:
            tail = self._tails[format_] = ENCODINGS[format_].tail(self._row())
        return tail

    def show(self, rate: Rate | None) -> None:
        if rate is not self.rate:
            self.rate = rate
            self.fetched = math.inf if rate is None else rate.fetched_at.timestamp()
            self._tails.clear()

    def _row(self) -> TopRow:
        rate = self.rate
        return TopRow(
            rank=0,
            currency_id=self.currency.id,
            symbol=self.currency.symbol,
            name=self.currency.name,
            price_usd=rate.price_usd if rate else None,
            source=rate.source if rate else None,
            observed_at=rate.observed_at if rate else None,
        )


class Lines:
    """Those of the currencies that some ranking in memory names."""

    def __init__(self, *, memory: RateMemory, catalog: Catalog, ttl: float) -> None:
        """`ttl`: seconds."""
        self._memory = memory
        self._catalog = catalog
        self._ttl = ttl
        self._lines: dict[int, Line] = {}

    def of(self, currency_id: int, now: float) -> Line:
        """As it is now."""
        line = self._lines.get(currency_id)
        if line is None:
            line = self._lines[currency_id] = Line(self._currency(currency_id))
        if now >= line.looks_again:
            self._look(line, now)
        return line

    def note_change(self, currency_id: int) -> None:
        """Something of this currency changed."""
        line = self._lines.get(currency_id)
        if line is not None:
            line.looks_again = -math.inf

    def keep(self, currency_ids: Collection[int]) -> None:
        """Forgets all others."""
        self._lines = {one: line for one, line in self._lines.items() if one in currency_ids}

    def rename(self) -> None:
        """The catalog was loaded again."""
        for currency_id, line in self._lines.items():
            currency = self._currency(currency_id)
            if currency != line.currency:
                self._lines[currency_id] = Line(currency)

    def _look(self, line: Line, now: float) -> None:
        since = now - self._ttl
        listed = self._memory.listed(line.currency.id, datetime.fromtimestamp(since, UTC))
        line.looks_again = math.inf
        if listed is None:
            line.show(None)
            return
        line.show(listed.rate)
        if line.fetched < listed.newest_fetch.timestamp() and line.fetched >= since:
            # The preferred one, though another was fetched later: until it leaves the TTL.
            line.looks_again = line.fetched + self._ttl

    def _currency(self, currency_id: int) -> Currency:
        """A ranking's currency that is in no catalog cannot be, but a place must not be lost for it."""
        return self._catalog.get(currency_id) or Currency(
            id=currency_id, name="", symbol="", slug="", rank=None, is_active=False
        )

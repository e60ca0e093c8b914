"""Closes of the last day for small drawings, kept in memory by currency.

An entry lives a minute, and not past the end of its last interval. One request reads the store at a time, so what many ask
for at once is read once; who waits for that finds it in memory.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import orjson

from api.catalog import Catalog
from shared.domain.candle import Closes, Interval
from shared.domain.times import Clock, iso
from shared.errors import StorageUnavailable
from shared.ports import Storage

INTERVAL = Interval.QUARTER
PLACES = 96
"""A day."""
LIFE = timedelta(seconds=60)
MOST_KEPT = 2000
"""Entries, of about a kilobyte each."""
AT_ONCE = 20
"""Currencies that are read and encoded in one go: some milliseconds."""
DIGITS = 7
"""Significant ones: far more than a drawing shows."""


@dataclass(frozen=True, slots=True)
class _Line:
    """The closes of a currency."""

    body: bytes
    """As it stands among the results."""
    last: int
    """The number of its last interval."""
    dies_at: datetime


class Sparklines:
    """By currency."""

    def __init__(self, *, storage: Storage, catalog: Catalog, clock: Clock) -> None:
        self._storage = storage
        self._catalog = catalog
        self._clock = clock
        self._lines: dict[int, _Line] = {}
        """Those that were read last stand last."""
        self._one_reads = asyncio.Lock()
        self._failures = 0

    async def encoded(self, currency_ids: Sequence[int]) -> bytes:
        """The answer. Ids that the catalog lacks are left out; one that turned out to be another is answered as that. Raises
        StorageUnavailable where one is not in memory and cannot be read."""
        currencies = map(self._catalog.current, currency_ids)
        ids = list(dict.fromkeys(one.id for one in currencies if one is not None))
        last = INTERVAL.number_of(self._clock())
        lines = self._kept(ids, last)
        if len(lines) < len(ids):
            failures = self._failures
            async with self._one_reads:
                if self._failures > failures:
                    # Else all who wait would try in turn, and wait for all before them.
                    raise StorageUnavailable("The database did not answer.")
                last = INTERVAL.number_of(self._clock())
                lines = self._kept(ids, last)
                lines |= await self._read([one for one in ids if one not in lines], last)
        return _answer(last, [lines[one].body for one in ids])

    def _kept(self, currency_ids: Sequence[int], last: int) -> dict[int, _Line]:
        now = self._clock()
        lines = ((one, self._lines.get(one)) for one in currency_ids)
        return {one: line for one, line in lines if line and line.last == last and now < line.dies_at}

    async def _read(self, currency_ids: Sequence[int], last: int) -> dict[int, _Line]:
        dies_at = self._clock() + LIFE
        numbers = range(last - PLACES + 1, last + 1)
        times = [INTERVAL.time_of(number) for number in numbers]
        lines: dict[int, _Line] = {}
        for start in range(0, len(currency_ids), AT_ONCE):
            ids = currency_ids[start : start + AT_ONCE]
            for one, closes in (await self._closes(ids, numbers)).items():
                lines[one] = _Line(_encoded(one, closes, times), last, dies_at)
        self._keep(lines)
        return lines

    async def _closes(self, currency_ids: Sequence[int], numbers: range) -> dict[int, Closes]:
        since, until = INTERVAL.time_of(numbers.start), INTERVAL.time_of(numbers.stop)
        try:
            return await self._storage.closes(currency_ids, interval=INTERVAL, since=since, until=until)
        except StorageUnavailable:
            self._failures += 1
            raise

    def _keep(self, lines: dict[int, _Line]) -> None:
        for one, line in lines.items():
            self._lines.pop(one, None)
            self._lines[one] = line
        for one in list(islice(self._lines, max(0, len(self._lines) - MOST_KEPT))):
            del self._lines[one]


def _encoded(currency_id: int, closes: Closes, times: Sequence[datetime]) -> bytes:
    prices = map(closes.prices.get, times)
    drawn = [None if price is None else float(f"{price:.{DIGITS}g}") for price in prices]
    return orjson.dumps({"currency": currency_id, "sources": sorted(closes.sources), "closes": drawn})


def _answer(last: int, lines: Sequence[bytes]) -> bytes:
    head = {
        "from": iso(INTERVAL.time_of(last - PLACES + 1)),
        "to": iso(INTERVAL.time_of(last + 1)),
        "interval": INTERVAL,
    }
    return orjson.dumps(head)[:-1] + b',"results":[' + b",".join(lines) + b"]}"

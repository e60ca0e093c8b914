"""500 candles of random currencies and times in histories of 10 million rates, through our storage and over HTTP.

python -m bench.candles [--rounds 5] [--quick]

Two histories: 1000 currencies polled every 15 minutes for 106 days, and 200 currencies with a rate a minute for 35 days, each
in monthly partitions. Nothing is kept between two requests: each candle is made of its rates. An interval of which a history
holds fewer than 500 is asked for as a whole: all that is stored of a currency. PostgreSQL with fsync.
"""

import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp

from bench.part import Options, run_part
from bench.rate_history import START, Filled, RateHistory, filled
from bench.rig import Rig
from bench.table import Goal, Series, percentile, print_table
from shared.domain.candle import Interval
from shared.domain.times import iso
from shared.ports import Storage

CANDLES = 500
ASKED = 100
"""Pages of each interval in a round."""
INTERVALS = (Interval.QUARTER, Interval.HOUR, Interval.FOUR_HOURS, Interval.DAY)
HISTORIES = {
    "a rate in 15 min": RateHistory(currencies=1000, times=10_200),
    "a rate a minute": RateHistory(currencies=200, times=50_500, step=timedelta(minutes=1)),
}
QUICK = {
    "a rate in 15 min": RateHistory(currencies=20, times=2000),
    "a rate a minute": RateHistory(currencies=20, times=2000, step=timedelta(minutes=1)),
}
PLACES = ("PostgreSQL", "SQLite", "HTTP, PostgreSQL")
TARGET_MS = 50
SEED = 20261122


@dataclass(frozen=True, slots=True)
class _Page:
    """What is asked for."""

    currency_id: int
    interval: Interval
    since: datetime
    until: datetime


Read = Callable[[_Page], Awaitable[int]]
"""How many candles there were."""


async def measure(rig: Rig, options: Options) -> list[Goal]:
    goals = []
    for name, history in options.sized(HISTORIES, QUICK).items():
        async with AsyncExitStack() as stack:
            started = time.perf_counter()
            url, file = rig.database_url(), rig.folder() / "rates.db"
            # A gigabyte that nobody needs afterwards.
            stack.callback(file.unlink)
            places = await filled(stack, url, file, history)
            print(f"\n{history.rates} rates, {name}, stored in each in {time.perf_counter() - started:.0f} s")
            server = await stack.enter_async_context(rig.stack(DATABASE_URL=url))
            api = await server.api()
            http = await stack.enter_async_context(aiohttp.ClientSession())
            seen = await _measured(_reads(places, http, api.url), history, options)
        for place, slowest in seen.items():
            goals.append(
                Goal(what=f"candles, {name}, {place}, p99", seen=slowest, target=TARGET_MS, unit="ms")
            )
    return goals


async def _measured(reads: dict[str, Read], history: RateHistory, options: Options) -> dict[str, float]:
    """By place, the 99th percentile of that interval which takes longest."""
    worst = dict.fromkeys(reads, 0.0)
    moments = random.Random(SEED)
    for interval in INTERVALS:
        middle, slowest = ({name: Series(name) for name in reads} for _ in range(2))
        for number in range(options.rounds + 1):
            pages = [_page(history, interval, moments) for _ in range(options.sized(ASKED, 10))]
            for name, read in reads.items():
                times = [await _timed(read, page) for page in pages]
                # The first round warms up: cold pages, statements that are not prepared yet.
                if number:
                    middle[name].values.append(percentile(times, 0.5))
                    slowest[name].values.append(percentile(times, 0.99))
        print_table(f"{interval}, p50", "ms", middle.values())
        print_table(f"{interval}, p99", "ms", slowest.values())
        worst = {name: max(worst[name], slowest[name].median) for name in reads}
    return worst


def _page(history: RateHistory, interval: Interval, moments: random.Random) -> _Page:
    count = -((START - history.end) // interval.length)
    first = moments.randint(0, max(0, count - CANDLES))
    currency_id = moments.choice([one for one in range(1, history.currencies + 1) if one % 100 != 50])
    since = START + first * interval.length
    return _Page(currency_id, interval, since, since + min(count, CANDLES) * interval.length)


async def _timed(read: Read, page: _Page) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    found = await read(page)
    taken = (time.perf_counter() - started) * 1000
    if found != (page.until - page.since) // page.interval.length:
        raise RuntimeError(f"{found} candles of {page}")
    return taken


def _reads(places: Filled, http: aiohttp.ClientSession, url: str) -> dict[str, Read]:
    async def over_http(page: _Page) -> int:
        query = {
            "interval": str(page.interval),
            "from": iso(page.since),
            "to": iso(page.until),
            "limit": str(CANDLES),
        }
        async with http.get(f"{url}/api/candles/{page.currency_id}/", params=query) as response:
            return (await response.read()).count(b'"time"')

    reads = (_through(places.postgresql), _through(places.sqlite), over_http)
    return dict(zip(PLACES, reads, strict=True))


def _through(storage: Storage) -> Read:
    async def read(page: _Page) -> int:
        candles = await storage.candles(
            page.currency_id, interval=page.interval, since=page.since, until=page.until
        )
        return len(candles)

    return read


if __name__ == "__main__":
    run_part(measure, __doc__)

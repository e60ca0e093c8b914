"""What a service on SQLite has seen before it starts, so that charts have something to draw."""

import math
import random
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.domain.times import micros
from tests.servers import sqlite_url

PRICES = {1: 92_000.0, 1027: 2_900.0, 52: 2.04, 5426: 128.0}
"""Where they end, near those of the simulator, by currency: BTC, ETH, XRP and SOL."""
GAP = (timedelta(hours=8), timedelta(hours=5))
"""The service was away between these ages."""


def record_history(file: Path, prices: Mapping[int, float] = PRICES) -> None:
    """A month of rates of these currencies: every hour, and of the last day every five minutes, with a gap in it."""
    chance = random.Random(7)
    rows = []
    for moment in _moments(datetime.now(UTC)):
        time = micros(moment)
        rows += [(number, "coinmarketcap", f"{price:.12g}", time, time) for number, price in prices.items()]
        prices = {number: price * math.exp(chance.gauss(0, 0.002)) for number, price in prices.items()}
    sqlite_url(file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany(
            "INSERT INTO rates (currency_id, source, price_usd, observed_at, stored_at) VALUES (?, ?, ?, ?, ?)",
            reversed(rows),
        )


def _moments(now: datetime) -> Iterator[datetime]:
    """The newest first."""
    ages = [timedelta(minutes=5) * step for step in range(1, 289)]
    ages += [timedelta(hours=step) for step in range(25, 721)]
    return (now - age for age in ages if not GAP[1] < age < GAP[0])

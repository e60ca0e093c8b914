"""The currencies of the simulated market: ids, symbols, names and slugs as CoinMarketCap gives them, rough prices.

600 real coins come from `coins.csv`, in the order of their size; more than that are made up, with ids from 100,001 on.
`inactive.csv` holds dead coins that share a symbol with a live one; `fiats.csv` CoinMarketCap's fiat currencies, with
a rough rate each and a mark on those that the European Central Bank sets.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from itertools import islice
from pathlib import Path

_FOLDER = Path(__file__).parent
_FIRST_MADE_UP_ID = 100_001
_SMALLEST_REAL_CAP = 250_000.0


class Kind(Enum):
    ACTIVE = auto()
    INACTIVE = auto()
    FIAT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """A currency as CoinMarketCap knows it: fiat currencies are coins of their own kind there."""

    id: int
    symbol: str
    name: str
    slug: str
    price_usd: float
    """Around which its price moves."""
    supply: float
    max_supply: float | None = None
    platform_id: int | None = None
    """The coin on whose chain this token lives."""
    cryptocompare_id: str = ""
    kind: Kind = Kind.ACTIVE
    died_ms: int | None = None
    """When the price of an inactive coin was last seen, in milliseconds since 1970."""
    sign: str = ""
    set_by_ecb: bool = False


def load_coins(count: int) -> list[Coin]:
    """The `count` largest coins."""
    coins = [_coin(row) for row in islice(_rows("coins.csv"), count)]
    coins.extend(_made_up(number) for number in range(count - len(coins)))
    return coins


def load_inactive() -> list[Coin]:
    return [
        Coin(
            id=int(row["id"]),
            symbol=row["symbol"],
            name=row["name"],
            slug=row["slug"],
            price_usd=float(row["price_usd"]),
            supply=float(row["supply"]),
            kind=Kind.INACTIVE,
            died_ms=int(datetime.fromisoformat(row["last_updated"]).timestamp() * 1000),
        )
        for row in _rows("inactive.csv")
    ]


def load_fiats() -> list[Coin]:
    rows = list(_rows("fiats.csv"))
    usd_per_eur = next(float(row["per_eur"]) for row in rows if row["symbol"] == "USD")
    return [
        Coin(
            id=int(row["id"]),
            symbol=row["symbol"],
            name=row["name"],
            slug=row["name"].lower().replace(" ", "-"),
            price_usd=usd_per_eur / float(row["per_eur"]),
            supply=0.0,
            kind=Kind.FIAT,
            sign=row["sign"],
            set_by_ecb=row["set_by_ecb"] == "1",
        )
        for row in rows
    ]


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _coin(row: dict[str, str]) -> Coin:
    return Coin(
        id=int(row["id"]),
        symbol=row["symbol"],
        name=row["name"],
        slug=row["slug"],
        price_usd=float(row["price_usd"]),
        supply=float(row["supply"]),
        max_supply=float(row["max_supply"]) if row["max_supply"] else None,
        platform_id=int(row["platform"]) if row["platform"] else None,
        # CryptoCompare's real ids lie below a million.
        cryptocompare_id=row["cryptocompare_id"] or str(2_000_000 + int(row["id"])),
    )


def _made_up(number: int) -> Coin:
    coin_id = _FIRST_MADE_UP_ID + number
    price = 10.0 ** (number % 9 - 6) * (1 + number % 7)
    return Coin(
        id=coin_id,
        symbol=f"SIM{number + 1}",
        name=f"Simulated {number + 1}",
        slug=f"simulated-{number + 1}",
        price_usd=price,
        supply=round(_SMALLEST_REAL_CAP / (1 + number / 1000) / price, 6),
        cryptocompare_id=str(2_000_000 + coin_id),
    )

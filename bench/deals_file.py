"""A large file of deals, made anew but always the same, as an ordinary export has it and with every cell in quotes."""

import csv
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shared.domain.deals import COLUMNS

ORDINARY, QUOTED = "ordinary", "quoted"
CUSTOMERS = [f"customer{number}" for number in range(2000)]
ITEMS = ["Рубин", "Сапфир", "Танзанит", "Изумруд", "Петерсит", *(f"stone{number}" for number in range(100))]
_FIRST = datetime(2018, 1, 1)  # noqa: DTZ001 - the dates of a file have no zone
_SECONDS = 86_400 * 1500
_BLOCK = 20_000
"""Rows that are made at once: so the file may be larger than the memory."""
_Row = tuple[str, str, int, int, datetime]


@dataclass(frozen=True, slots=True)
class WrittenDeals:
    """A file, and what its top five must be."""

    path: Path
    answer: list[tuple[str, int]]
    """Customers with what they spent."""


def write_deals(folder: Path, deals: int) -> dict[str, WrittenDeals]:
    """The same deals in both forms."""
    paths = {name: folder / f"{name}.csv" for name in (ORDINARY, QUOTED)}
    spent: Counter[str] = Counter()
    with paths[ORDINARY].open("w", newline="") as ordinary, paths[QUOTED].open("w", newline="") as quoted:
        writers = (
            csv.writer(ordinary, lineterminator="\n"),
            csv.writer(quoted, lineterminator="\n", quoting=csv.QUOTE_ALL),
        )
        for writer in writers:
            writer.writerow(COLUMNS)
        for rows in _blocks(deals):
            for writer in writers:
                writer.writerows(rows)
            for customer, _, total, _, _ in rows:
                spent[customer] += total
    answer = sorted(spent.items(), key=lambda one: (-one[1], one[0]))[:5]
    return {name: WrittenDeals(path, answer) for name, path in paths.items()}


def _blocks(deals: int) -> Iterator[list[_Row]]:
    chance = random.Random(1)
    for start in range(0, deals, _BLOCK):
        count = min(_BLOCK, deals - start)
        quantities = chance.choices(range(1, 21), k=count)
        prices = chance.choices(range(1, 2001), k=count)
        seconds = chance.choices(range(_SECONDS), k=count)
        fractions = chance.choices(range(1, 1_000_000), k=count)
        yield [
            (
                customer,
                item,
                quantity * price,
                quantity,
                _FIRST + timedelta(seconds=second, microseconds=fraction),
            )
            for customer, item, quantity, price, second, fraction in zip(
                chance.choices(CUSTOMERS, k=count),
                chance.choices(ITEMS, k=count),
                quantities,
                prices,
                seconds,
                fractions,
                strict=True,
            )
        ]

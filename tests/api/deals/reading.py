"""Reads files of deals for tests, and says in the plainest way what is in them."""

import csv
import io
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from api.deals.cells import CHECKS
from api.deals.reader import DealsReader
from shared.domain.deals import COLUMNS, DealsBatch
from shared.domain.money import amount_from
from shared.domain.times import time_from_iso
from shared.errors import InvalidDeals

HEADER = "customer,item,total,quantity,date\n"
GOOD = "ann,ruby,10.50,2,2026-11-20T12:00:00\n"


class Deal(NamedTuple):
    customer: str
    item: str
    total: Decimal
    quantity: Decimal
    date: datetime


def reader_of(
    data: bytes | str, *, charset: str = "utf-8", has_header: bool = True, **sizes: int
) -> DealsReader:
    content = data.encode(charset) if isinstance(data, str) else data
    return DealsReader(io.BytesIO(content), charset=charset, has_header=has_header, **sizes)


async def deals_of(reader: DealsReader) -> list[Deal]:
    columns = await reader.columns()
    return [
        deal_of(dict(zip(columns, row, strict=True)))
        async for batch in reader.batches()
        for row in rows_of(batch)
    ]


def rows_of(batch: DealsBatch) -> list[list[str]]:
    """By the promise of DealsBatch alone."""
    if batch.text:
        assert not batch.rows
        assert batch.text.endswith("\n")
        return rows_in(batch.text)
    return [list(row) for row in batch.rows]


def rows_in(text: str) -> list[list[str]]:
    """Of a text in which line feeds end rows, and nothing else."""
    return list(csv.reader(text[:-1].split("\n"), strict=True)) if text else []


def deal_of(cells: dict[str, str]) -> Deal:
    return Deal(
        cells["customer"],
        cells["item"],
        amount_from(cells["total"]),
        amount_from(cells["quantity"]),
        time_from_iso(cells["date"]),
    )


async def errors_of(data: bytes | str, *, charset: str = "utf-8", has_header: bool = True) -> list[str]:
    """All of them; those that stop the load are the first of them."""
    reader = reader_of(data, charset=charset, has_header=has_header)
    first: tuple[str, ...] = ()
    try:
        await deals_of(reader)
    except InvalidDeals as error:
        first = error.errors
    errors = await reader.remaining_errors()
    assert tuple(errors[: len(first)]) == first
    assert bool(first) == bool(errors)
    return errors


async def row_errors(*rows: str) -> list[str]:
    """Of a file with a good row first: what is wrong with these, which begin in line 3."""
    return await errors_of(HEADER + GOOD + "".join(f"{row}\n" for row in rows))


def naive(text: str) -> list[Deal] | None:
    """What a file without a header says, by csv and the check of each cell; None where something is wrong."""
    try:
        return [
            deal_of({column: CHECKS[column](cell) for column, cell in zip(COLUMNS, row, strict=True)})
            for row in csv.reader(io.StringIO(text, newline=""), strict=True)
            if row and not (len(row) == 1 and row[0].isspace())
        ] or None
    except (ValueError, csv.Error):
        return None

"""The two forms of a top list as bytes: a head, lines, and an end; so a list can be put together or streamed.

A line without its rank is a tail: it stays the same while only the order changes.
"""

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import orjson

from api.answers import JSON
from shared.domain.money import plain
from shared.domain.ranking import TopRow
from shared.domain.times import iso

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that begins so."""


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a list says of itself as a whole."""

    moment: datetime | None
    """Of which the list is; None before the first ranking."""
    is_stale: bool
    ranking_source: str | None
    price_sources: tuple[str, ...]


class Encoding(ABC):
    content_type: ClassVar[str]
    end: ClassVar[bytes]
    between: ClassVar[bytes]

    @abstractmethod
    def head(self, facts: Facts) -> bytes: ...

    @abstractmethod
    def tail(self, row: TopRow) -> bytes: ...

    @abstractmethod
    def line(self, rank: int, tail: bytes) -> bytes: ...


class JsonEncoding(Encoding):
    content_type = JSON
    between = b","
    end = b"]}"

    def head(self, facts: Facts) -> bytes:
        head = {
            "datetime": None if facts.moment is None else iso(facts.moment),
            "stale": facts.is_stale,
            "sources": {"ranking": facts.ranking_source, "prices": facts.price_sources},
        }
        return orjson.dumps(head)[:-1] + b',"results":['

    def tail(self, row: TopRow) -> bytes:
        return orjson.dumps(
            {
                "currency": row.currency_id,
                "symbol": row.symbol,
                "name": row.name,
                "price_usd": None if row.price_usd is None else plain(row.price_usd),
                "source": row.source,
                "actual_date": None if row.observed_at is None else iso(row.observed_at),
            }
        )[1:]

    def line(self, rank: int, tail: bytes) -> bytes:
        return b'{"rank":%d,%b' % (rank, tail)


class CsvEncoding(Encoding):
    content_type = "text/csv; charset=utf-8"
    between = b""
    end = b""

    def head(self, facts: Facts) -> bytes:  # noqa: ARG002 - a table has no place for them: headers say it
        return b"Rank,Symbol,Price USD\r\n"

    def tail(self, row: TopRow) -> bytes:
        text = io.StringIO(newline="")
        price = "" if row.price_usd is None else plain(row.price_usd)
        csv.writer(text).writerow((_harmless(row.symbol), price))
        return text.getvalue().encode()

    def line(self, rank: int, tail: bytes) -> bytes:
        return b"%d,%b" % (rank, tail)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


ENCODINGS: Mapping[Format, Encoding] = {Format.JSON: JsonEncoding(), Format.CSV: CsvEncoding()}


def list_headers(format_: Format, facts: Facts, *, limit: int, moment: datetime | None) -> dict[str, str]:
    """What a CSV cannot say in its body, said in both formats. `moment`: the one that was asked for."""
    headers = {}
    if facts.ranking_source is not None:
        headers["Freshrate-Ranking-Source"] = facts.ranking_source
    if facts.price_sources:
        headers["Freshrate-Price-Sources"] = ", ".join(facts.price_sources)
    if format_ is Format.CSV:
        # By hand, for %Y writes the year 1 without zeros.
        when = "" if moment is None else f"-{moment.year:04}{moment:-%m-%dT%H%M%SZ}"
        headers["Content-Disposition"] = f'attachment; filename="freshrate-top-{limit}{when}.csv"'
    return headers

"""Rows of the plain kind, which nearly all are: checked by one regular expression, and kept as they are.

It takes a subset of what `api.deals.cells` takes, with the same values for Python, for SQLite and for PostgreSQL. A million rows
take 0.9 s so, many at once. Where csv must find the cells it is four times that, and twelve times by a check of each cell.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from api.deals.lines import LONGEST_CELL

# Only repeats of single characters are possessive: before 3.11.5 Python takes what does not match where a group that may go back
# is repeated so. Nothing else here has two ways to match the same characters, so the time grows with the text all the same.
_AMOUNT = r"[0-9]{1,20}+(?:\.[0-9]{1,18}+)?"
_MONTH_AND_DAY = (
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_LEAP_YEAR = r"(?:19(?:0[48]|[2468][048]|[13579][26])|20(?:[02468][048]|[13579][26]))"
_DAY = rf"(?:(?:19|20)[0-9][0-9]-{_MONTH_AND_DAY}|{_LEAP_YEAR}-02-29)"
# PostgreSQL rounds what is finer than a microsecond, and knows no zone beyond 15:59.
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6}+)?"
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-5])(?::?+[0-5][0-9])?)"
_DATE = rf"{_DAY}(?:[ T]{_TIME}{_ZONE}?)?"
# A name that does not begin with a space is not all spaces.
_NAME = r"[^\s\0][^\0]*+"
_LINE_NAME = rf'[^\s,"\0][^,"\r\n\0]{{0,{LONGEST_CELL - 1}}}+'
# So many characters, so often: never longer together than a cell may be.
_QUOTED, _DOUBLED = 10_000, 12
_QUOTED_NAME = rf'"[^\s"\0][^"\r\n\0]{{0,{_QUOTED}}}+(?:""[^"\r\n\0]{{0,{_QUOTED}}}+){{0,{_DOUBLED}}}"'

_BLANK_LINES = re.compile(r"\n{2,}")

PlainPart = Callable[[str, int], tuple[str, int, int]]
"""Of a text of whole lines, from an index on: its first rows, as far as they are plain; how many lines they are, with the blank
ones between them; and the index behind those."""


@lru_cache(maxsize=120)
def plain_part(columns: Sequence[str]) -> PlainPart:
    """For lines with these cells, in this order. Takes some milliseconds, once per order.

    COPY reads the text as csv does: no cell is empty (that is NULL to COPY), a quote stands around a cell or is doubled in one
    that has quotes around it, nowhere is a NUL, a CR or a line feed but the one that ends the row.
    """
    named = f"(?:{_LINE_NAME}|{_QUOTED_NAME})"
    cells = ",".join(cell if cell is named else f'(?:{cell}|"{cell}")' for cell in _cells(columns, named))
    # Blank lines are a part of the row before them: each row costs the matcher some memory until the end.
    match = re.compile(rf"[\r\n]*+(?:{cells}[\r\n]++)*").match

    def part(text: str, start: int) -> tuple[str, int, int]:
        found = match(text, start)
        end = found.end() if found else start
        rows = text[start:end]
        if "\r" in rows:
            rows = rows.replace("\r\n", "\n").replace("\r", "\n")
        lines = rows.count("\n")
        if "\n\n" in rows or rows.startswith("\n"):
            rows = _BLANK_LINES.sub("\n", rows).lstrip("\n")
        return rows, lines, end

    return part


@lru_cache(maxsize=120)
def is_plain(columns: Sequence[str]) -> Callable[[Sequence[str]], bool]:
    """For rows of such cells, whatever is in their names."""
    # NUL parts the cells: none that is good has one in it.
    match = re.compile(r"\0".join(_cells(columns, _NAME))).fullmatch

    def check(row: Sequence[str]) -> bool:
        return len(row) == len(columns) and match("\0".join(row)) is not None

    return check


def _cells(columns: Sequence[str], name: str) -> list[str]:
    cells: Mapping[str, str] = {
        "customer": name,
        "item": name,
        "total": _AMOUNT,
        "quantity": _AMOUNT,
        "date": _DATE,
    }
    return [cells[column] for column in columns]

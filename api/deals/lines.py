"""The text of a file from line to line: many at once, or row by row."""

import csv
import re
from collections.abc import Iterator
from itertools import chain

from api.deals.blocks import LONGEST_ROW, NO_FURTHER, TextBlocks, Unreadable

LONGEST_CELL = 131_072
"""Characters: the limit that Python's csv has by itself."""
# Not str.splitlines: that knows ends of lines which neither csv nor PostgreSQL has.
_LINE = re.compile(r"[^\r\n]*+(?:\r\n?+|\n)")
_ROW_TOO_LONG = "row too long"


class Lines:
    """Where reading has come to."""

    def __init__(self, blocks: TextBlocks) -> None:
        self.taken = 0
        """Lines so far."""
        self._blocks = blocks
        self._text = ""
        self._at = 0

    def ahead(self) -> tuple[str, int]:
        """A text of whole lines, and where in it those begin that are not taken yet; it is empty at the end of the file.
        Raises Unreadable."""
        if self._at == len(self._text):
            self._text, self._at = self._blocks.read(self.taken + 1), 0
        return self._text, self._at

    def take(self, end: int, lines: int) -> None:
        """Takes the lines up to there in what is ahead."""
        self._at = end
        self.taken += lines

    def first_row(self) -> tuple[int, list[str]] | None:
        """The next row that is not blank, and the number of its line; None at the end of the file. Raises Unreadable."""
        while self.ahead()[0]:
            for numbered in self.rows(0):
                return numbered
        return None

    def rows(self, size: int) -> Iterator[tuple[int, list[str]]]:
        """The rows that begin in the next so many characters, but at least one, each with the number of its first line. Blank
        ones are left out. To be asked to the end. Raises Unreadable."""
        before = self.taken
        near = self._take(size)
        first = 0
        """Lines before the row."""

        def further() -> Iterator[str]:
            length = sum(map(len, near[first:]))
            while line := self._take_one():
                length += len(line)
                if length > LONGEST_ROW:
                    raise csv.Error(_ROW_TOO_LONG)
                yield line

        reader = csv.reader(chain(near, further()), strict=True)
        while first < max(1, len(near)):
            try:
                row = next(reader, None)
            except csv.Error as error:
                wrong = _wrong(str(error), before + first + 1, before + reader.line_num)
                raise Unreadable(f"{wrong}; {NO_FURTHER}") from error
            if row is None:
                return
            # A line of nothing but spaces is blank to people.
            if row and not (len(row) == 1 and row[0].isspace()):
                yield before + first + 1, row
            first = reader.line_num

    def _take(self, size: int) -> list[str]:
        """The lines of about so many characters. None where a row might be too long: that is counted line by line."""
        text, start = self.ahead()
        end = text.find("\n", start + size) + 1 or len(text)
        if not size or end - start > LONGEST_ROW:
            return []
        lines = _LINE.findall(text, start, end)
        self.take(end, len(lines))
        return lines

    def _take_one(self) -> str:
        text, start = self.ahead()
        line = _LINE.match(text, start)
        if line is None:
            return ""
        self.take(line.end(), 1)
        return line[0]


def _wrong(said: str, first: int, last: int) -> str:
    """What csv's error means to people. `first`, `last`: the lines of the row, as far as it was read."""
    row = f"line {first}: the row" if last <= first else f"line {first}: the row, read to line {last},"
    if said == _ROW_TOO_LONG:
        return f"{row} is longer than {LONGEST_ROW} characters"
    if "field limit" in said:
        return f"{row} has a cell longer than {LONGEST_CELL} characters, perhaps since a quote is not closed"
    if "unexpected end" in said:
        return f"line {first}: the row has a quote that is never closed"
    if "expected after" in said:
        return (
            f'{row} has a closing quote without a comma behind it; a quote within quotes is written twice: ""'
        )
    return f"{row} is not CSV: {said}"

"""From the bytes of a file to its text, in blocks of whole lines."""

import codecs
from typing import Protocol

from api.deals.charsets import UTF_8, name_of

LONGEST_ROW = 1_048_576
"""Characters, over all lines of a row."""
NO_FURTHER = "nothing was read from there on"
"""Ends the error that ends the reading."""
_LONGEST_LINE = 4 * LONGEST_ROW
"""Bytes: no character has more than four."""
_ZIP = b"PK\x03\x04"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Readable(Protocol):
    """A file, as far as it matters here."""

    def read(self, size: int, /) -> bytes: ...


class Unreadable(Exception):
    """The file cannot be read on. The text says where and why."""


class TextBlocks:
    """Holds at most one block, or the longest line, whatever the file is."""

    def __init__(self, file: Readable, codec: str, size: int) -> None:
        """`codec`: one that `codec_of` gave. `size`: bytes of a block, about."""
        self._file = file
        self._codec = codec
        self._size = size
        self._rest = b""
        """Read, but not handed out: the beginning of a line."""
        self._at_start = True

    def read(self, line: int) -> str:
        """The next lines, each with its end (LF, CRLF or CR; the last one gets an LF where it has none); empty at the end
        of the file. Raises Unreadable at a line that is no text of this charset, or is too long.

        `line`: the number of the first of them, for errors.
        """
        data = self._whole_lines(line)
        try:
            return data.decode(self._codec)
        except UnicodeDecodeError as error:
            end = max(data.rfind(b"\n", 0, error.start), data.rfind(b"\r", 0, error.start)) + 1
            if not end:
                raise Unreadable(f"line {line}: {self._wrong(data, error.start, line)}") from error
            self._rest = data[end:] + self._rest
            return data[:end].decode(self._codec)

    def _whole_lines(self, line: int) -> bytes:
        while True:
            piece = self._piece()
            data = self._rest + piece
            if not piece:
                self._rest = b""
                return data if data.endswith((b"\n", b"\r")) or not data else data + b"\n"
            # A CR at the end may be the first half of a CRLF.
            end = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, -1) + 1
            if end:
                self._rest = data[end:]
                return data[:end]
            if len(data) > _LONGEST_LINE:
                raise Unreadable(
                    f"line {line}: the row is longer than {LONGEST_ROW} characters; {NO_FURTHER}"
                )
            self._rest = data

    def _piece(self) -> bytes:
        if not self._at_start:
            return self._file.read(self._size)
        self._at_start = False
        mark = codecs.BOM_UTF8
        piece = self._file.read(max(self._size, len(_ZIP)))
        if piece.startswith(_ZIP):
            raise Unreadable("line 1: the file is a ZIP archive, as spreadsheets (.xlsx) are; save it as CSV")
        if self._codec != UTF_8 or not piece.startswith(mark):
            return piece
        return piece.removeprefix(mark) or self._file.read(self._size)

    def _wrong(self, data: bytes, at: int, line: int) -> str:
        charset = name_of(self._codec)
        wrong = f"byte 0x{data[at]:02x} is not {charset}"
        if line == 1 and data.startswith(_UTF_16):
            return f"{wrong}, the file looks like UTF-16; save it as UTF-8"
        hint = (
            "save the file as UTF-8, or name its charset, as in Content-Type: text/csv; charset=windows-1251"
        )
        return f"{wrong}; {hint}; {NO_FURTHER}"

"""Keyset pages: where a page starts, as an opaque cursor."""

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_MAX_CURSOR = 80
_MAX_KEY = 2**63


@dataclass(frozen=True, slots=True)
class Cursor:
    """The rows after `key` in the list's order, or, where `backwards`, those before it.

    `key` holds two integers, the list's sort key: (observed_at in microseconds, id) for rates, (rank, id) for
    currencies.
    """

    key: tuple[int, int]
    backwards: bool = False

    def encode(self) -> str:
        text = f"{'p' if self.backwards else 'n'}{self.key[0]}.{self.key[1]}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raises ValueError for whatever `encode` did not make."""
        if len(text) > _MAX_CURSOR or not text.isascii():
            raise ValueError("not a cursor of this service")
        try:
            decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
            first, second = (int(part) for part in decoded[1:].split("."))
        except (binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise ValueError("not a cursor of this service") from error
        cursor = cls((first, second), backwards=decoded[0] == "p")
        if cursor.encode() != text or max(abs(first), abs(second)) >= _MAX_KEY:
            raise ValueError("not a cursor of this service")
        return cursor


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows in the list's order, and whether there are more on either side."""

    rows: tuple[T, ...]
    has_next: bool
    has_previous: bool

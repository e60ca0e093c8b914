"""Keyset pages, both ways: one row more than asked for tells whether there are further ones."""

from collections.abc import Sequence
from typing import TypeVar

from shared.domain.page import Cursor, Page

T = TypeVar("T")


def page_of(rows: Sequence[T], *, cursor: Cursor | None, limit: int) -> Page[T]:
    """`rows`: at most `limit` + 1, from the cursor on in its direction. The row of a cursor exists beyond the page,
    so there is always more where one came from."""
    kept = rows[:limit]
    has_more, came_from = len(rows) > limit, cursor is not None and bool(kept)
    if cursor is not None and cursor.backwards:
        return Page(tuple(reversed(kept)), has_next=came_from, has_previous=has_more)
    return Page(tuple(kept), has_next=has_more, has_previous=came_from)

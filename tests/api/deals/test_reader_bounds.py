"""Whatever the file is, the reader holds a few megabytes of it at most, and does not read on in vain."""

import io
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.deals.reader import DealsReader
from shared.errors import InvalidDeals
from tests.api.deals.reading import GOOD, HEADER

MEGABYTE = 1_000_000


class Endless(io.BytesIO):
    """A start, then the same again and again, over 256 MB."""

    def __init__(self, start: str, again: str) -> None:
        super().__init__(start.encode())
        self._again = again.encode() * (1 + 200_000 // len(again.encode()))
        self.handed = 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        data = super().read(size) or self._again[:size]
        self.handed += len(data)
        return data if self.handed < 256 * MEGABYTE else b""


@contextmanager
def memory_within(most: float) -> Iterator[None]:
    """Megabytes that are held at once, at most."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("again", "within"),
    [
        ("a", 16),
        ("\U0001f48e", 20),
        (",", 16),
        ('"\n",', 16),
        ('",\n"', 16),
        ('""', 16),
        ("a,\r", 16),
    ],
)
async def test_what_never_ends_is_given_up(again: str, within: float) -> None:
    file = Endless(HEADER + GOOD + '"', again)
    with memory_within(within):
        reader = DealsReader(file, charset="utf-8", has_header=True)
        with pytest.raises(InvalidDeals, match=r"^line 3: "):
            [batch async for batch in reader.batches()]
        assert len(await reader.remaining_errors()) <= 21
    assert file.handed < 6 * MEGABYTE


async def test_rows_of_the_longest_cells_come_one_by_one() -> None:
    row = f"{'a' * 131_072},{'b' * 131_072},1,1,2026-11-20\n"
    with memory_within(8):
        reader = DealsReader(io.BytesIO((HEADER + row * 12).encode()), charset="utf-8", has_header=True)
        sizes = [len(batch.text) async for batch in reader.batches()]
    assert sizes == [len(row)] * 12


async def test_batches_are_bounded_by_characters_not_by_rows() -> None:
    rows = "a,b,01,+1,2026-11-20\n" * 20_000
    reader = DealsReader(io.BytesIO((HEADER + rows).encode()), charset="utf-8", has_header=True)
    assert max([len(batch.rows) async for batch in reader.batches()]) < 1000

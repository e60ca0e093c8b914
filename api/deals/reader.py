"""Reads a file of deals from block to block, and checks every cell."""

import asyncio
from collections.abc import AsyncIterator

from api.deals.blocks import Readable, TextBlocks, Unreadable
from api.deals.header import NOTHING, columns_of, wrong_with
from api.deals.lines import Lines
from api.deals.plain import plain_part
from api.deals.rows import RowChecks
from shared.domain.deals import COLUMNS, DealRow, DealsBatch
from shared.errors import InvalidDeals

MOST_ERRORS = 20
"""That are named of one file."""
_BLOCK = 128 * 1024
"""Bytes that are read at once: 1.2 ms of checks for plain rows."""
_STEP = 16 * 1024
"""Characters that are read at once where rows are not plain: about as long."""
_NO_DEAL = "the file has no deal in it"
_MORE = f"these are the first {MOST_ERRORS} errors; there may be more"


class DealsReader:
    """One reading of one file. Each step runs in a thread, for some milliseconds; the file stays open. After a cancelled
    wait it is not to be asked again: that step may still be under way."""

    def __init__(
        self,
        file: Readable,
        *,
        charset: str,
        has_header: bool,
        block_size: int = _BLOCK,
        step_size: int = _STEP,
    ) -> None:
        """`file`: at its start. `charset`: what `codec_of` gave. `block_size`: bytes; `step_size`: characters."""
        self.rows = 0
        """Good deals so far."""
        self._lines = Lines(TextBlocks(file, charset, block_size))
        self._step_size = step_size
        self._columns: tuple[str, ...] = () if has_header else COLUMNS
        self._errors: list[str] = []
        self._ended = False

    async def columns(self) -> tuple[str, ...]:
        """Of the file, in its order. Raises InvalidDeals where its first line does not name them."""
        if not self._columns and not self._ended:
            await asyncio.to_thread(self._read_header)
        if not self._columns:
            raise InvalidDeals(self._errors)
        return self._columns

    async def batches(self) -> AsyncIterator[DealsBatch]:
        """The deals. Raises InvalidDeals, with the errors known by then, where something is wrong."""
        await self.columns()
        while not self._ended:
            batch = await asyncio.to_thread(self._step)
            if self._errors:
                raise InvalidDeals(self._errors)
            if batch.text or batch.rows:
                yield batch

    async def remaining_errors(self) -> list[str]:
        """Reads on, to the end of the file or to the MOST_ERRORS-th error, and tells all errors so far, each in a line. A last
        line says so where there may be more."""
        if not self._columns and not self._ended:
            await asyncio.to_thread(self._read_header)
        while not self._ended and len(self._errors) < MOST_ERRORS:
            await asyncio.to_thread(self._step)
        return self._errors if self._ended else [*self._errors, _MORE]

    def _read_header(self) -> None:
        try:
            found = self._lines.first_row()
        except Unreadable as error:
            self._end(str(error))
            return
        if found is None:
            self._end(NOTHING)
            return
        line, row = found
        wrong = wrong_with(row, line)
        if wrong:
            self._ended = True
            self._errors = wrong if len(wrong) <= MOST_ERRORS else [*wrong[:MOST_ERRORS], _MORE]
        else:
            self._columns = columns_of(row)

    def _step(self) -> DealsBatch:
        try:
            text, start = self._lines.ahead()
            if not text:
                self._end("" if self.rows or self._errors else _NO_DEAL)
                return DealsBatch()
            rows, lines, end = plain_part(self._columns)(text, start)
            if not lines:
                return DealsBatch(rows=self._checked_rows())
            self._lines.take(end, lines)
            self.rows += rows.count("\n")
            return DealsBatch(text=rows)
        except Unreadable as error:
            self._end(str(error))
            return DealsBatch()

    def _checked_rows(self) -> list[DealRow]:
        checks = RowChecks(self._columns)
        good: list[DealRow] = []
        for line, row in self._lines.rows(self._step_size):
            try:
                good.append(checks.kept(row))
            except ValueError:
                self._errors += (f"line {line}: {wrong}" for wrong in checks.errors(row))
                if len(self._errors) >= MOST_ERRORS:
                    break
        del self._errors[MOST_ERRORS:]
        self.rows += len(good)
        return good

    def _end(self, error: str) -> None:
        self._ended = True
        if error:
            self._errors.append(error)

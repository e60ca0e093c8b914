"""What a good row is: as many cells as columns, and every cell good."""

from collections.abc import Sequence

from api.deals.cells import CHECKS, BadCell, shown
from api.deals.plain import is_plain
from shared.domain.deals import DealRow


class RowChecks:
    """For rows with these columns, in this order."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._checks = [CHECKS[column] for column in columns]
        self._is_plain = is_plain(columns)

    def kept(self, row: list[str]) -> DealRow:
        """The row as it is kept. Raises ValueError for a bad one."""
        if self._is_plain(row):
            return row
        return [check(cell) for check, cell in zip(self._checks, row, strict=True)]

    def errors(self, row: Sequence[str]) -> list[str]:
        """What is wrong with it, by cell."""
        if len(row) != len(self._columns):
            cells = "1 cell (a comma parts cells)" if len(row) == 1 else f"{len(row)} cells"
            return [f"{cells}, but there are {len(self._columns)} columns"]
        wrong = []
        for column, check, cell in zip(self._columns, self._checks, row, strict=True):
            try:
                check(cell)
            except BadCell as error:
                wrong.append(f"{column} {error}: {shown(cell)}")
        return wrong

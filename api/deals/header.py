"""The first line of a file: which column is where."""

from collections import Counter
from collections.abc import Sequence

from api.deals.cells import shown
from shared.domain.deals import COLUMNS

_EXPECTED = (
    "the first line must name customer, item, total, quantity and date, in any order"
    " (a file without such a line is sent as text/csv; header=absent)"
)
NOTHING = f"the file is empty; {_EXPECTED}"


def columns_of(row: Sequence[str]) -> tuple[str, ...]:
    """The columns in the order of the file; spaces around names are fine."""
    return tuple(name.strip() for name in row)


def wrong_with(row: Sequence[str], line: int) -> list[str]:
    """What is wrong with the first line, each in a line."""
    columns = columns_of(row)
    count = Counter(columns)
    if not any(name in count for name in COLUMNS):
        wrong = [_unlike(columns)]
    else:
        wrong = [f"column {shown(name)} is not known" for name in count if name not in COLUMNS]
        wrong += [f"column {name} is named {count[name]} times" for name in COLUMNS if count[name] > 1]
        wrong += [f"column {name} is missing" for name in COLUMNS if not count[name]]
    return [f"line {line}: {what}; {_EXPECTED}" for what in wrong]


def _unlike(columns: Sequence[str]) -> str:
    text = ",".join(columns)
    if "\0" in text:
        return f"NUL characters in {shown(text)}, so it is not UTF-8 but perhaps UTF-16: save it as UTF-8"
    for separator, name in ((";", "a semicolon"), ("\t", "a tab")):
        if {cell.strip() for cell in text.split(separator)} & set(COLUMNS):
            return f"the cells are separated by {name}, and must be by a comma"
    return f"no column is named in {shown(text)}"

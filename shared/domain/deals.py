"""Deals: what customers bought, as one uploaded file says; and which of them spent most.

The answer names the customers who spent most and, of each, the gems: the items that at least two of those named bought.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

COLUMNS = ("customer", "item", "total", "quantity", "date")
"""Of a file, in any order."""
LONGEST_TOP = 100
"""Customers that can be asked for."""
DealRow = Sequence[str]
"""The cells of a deal, in the order of its file's columns. Checked: a customer and an item that are not empty, amounts as plain
decimals (`shared.domain.money.amount_from` takes them), an ISO 8601 date that `shared.domain.times.time_from_iso` reads."""


class UploadState(StrEnum):
    """What became of an uploaded file."""

    CURRENT = "current"
    """Its deals are the deals."""
    REPLACED = "replaced"
    """They were, until another came."""
    REFUSED = "refused"
    """Something is wrong with it, so nothing of it was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DealsFile:
    """An uploaded file, as a whole."""

    name: str
    """As the client calls it: data, never a path. Empty where it has none."""
    size: int
    """Bytes."""
    sha256: str
    """Of its bytes, in hexadecimal digits."""
    charset: str
    """How its bytes are read: Python's name of the codec."""
    has_header: bool
    """Whether its first line names the columns."""
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DealsUpload:
    """A file that was uploaded, and what became of it."""

    id: int
    state: UploadState
    file: DealsFile
    rows: int | None
    """Deals in it; None where it was refused."""
    error: str | None
    """What is wrong with it, where it was refused."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What became of a good file."""

    upload: DealsUpload
    """The current one."""
    is_new: bool
    """False where the current deals are those of the very same file, so nothing was done."""


@dataclass(frozen=True, slots=True)
class DealsBatch:
    """Some deals of a file, checked. One of the two holds them: where `text` does, `rows` is empty."""

    text: str = ""
    """Rows of CSV (RFC 4180), each ended by a line feed; no cell has a line feed, a CR or a NUL in it."""
    rows: Sequence[DealRow] = ()


@dataclass(frozen=True, slots=True)
class BigSpender:
    """A customer among those who spent most."""

    name: str
    spent: Decimal
    """The exact sum of `total`, in the currency of the deals, without zeros at the end of a fraction."""
    items: tuple[str, ...] = ()
    """What it bought that another of the LONGEST_TOP customers bought too, in code point order, each once: no other item can
    be a gem."""


@dataclass(frozen=True, slots=True)
class DealsSummary:
    """All that the answer needs of the current upload."""

    upload: DealsUpload
    spenders: tuple[BigSpender, ...]
    """The LONGEST_TOP who spent most, the greatest sum first, those of equal sums by name in code point order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRule:
    """Which rate of a currency a deal is converted by: the newest in force at its date, of the first of `sources` that has one
    not older than `within`, else of any other source that has one not older than that."""

    currency_id: int
    sources: tuple[str, ...]
    within_seconds: int


@dataclass(frozen=True, slots=True)
class PricedDeal:
    """A deal, with the prices in USD that its conversion needs."""

    customer: str
    total: Decimal
    date: datetime
    prices: tuple[Decimal | None, ...] = field(default=())
    """By the rules that were asked for, in their order; None where there is no such rate."""


def gems_of(spenders: Sequence[BigSpender]) -> list[tuple[str, ...]]:
    """Of each of these, in their order: its items that at least one other of these bought, in code point order."""
    buyers = Counter(item for spender in spenders for item in spender.items)
    return [tuple(item for item in spender.items if buyers[item] > 1) for spender in spenders]

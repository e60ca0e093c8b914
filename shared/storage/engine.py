"""What the storage needs of a database: asyncpg's `$1` dialect over PostgreSQL and SQLite.

One SQL text serves both wherever both can read it. Arguments are domain values, and lists of ids; what rows hold depends on the
database, and `shared.storage.rows` makes it one. Failures that later may work are raised as StorageUnavailable by
every method; whatever else the database says is a defect and passes unchanged.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Any, Protocol

from shared.ports import Connections


class Row(Protocol):
    """The values of one row, in the order of its columns."""

    def __iter__(self) -> Iterator[Any]: ...

    def __getitem__(self, index: int, /) -> Any: ...  # noqa: ANN401 - a column of any type


class UnknownReference(Exception):
    """A row names a currency that does not exist. Never leaves the storage."""


class Dialect(Enum):
    """Which text of a statement a database reads, where no single one serves both."""

    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"


class Session(Protocol):
    """Runs single statements."""

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        """The rows of a statement that only reads."""

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """The first row of a statement that only reads."""

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column of any type
        """The first value of the first row of a statement that only reads, or None."""

    async def execute(self, sql: str, *args: object) -> int:
        """How many rows a statement changed."""

    async def executemany(self, sql: str, args: Sequence[Sequence[object]]) -> None:
        """Runs one statement with many arguments, all or none."""


class Engine(Session, Protocol):
    """A database. Each statement is a transaction of its own, but for those within `transaction`."""

    @property
    def dialect(self) -> Dialect: ...

    def slices(self, sql: str, *args: object, size: int) -> AsyncGenerator[Sequence[Row]]:
        """All rows of a statement that only reads, as of one moment, so many at a time: to take them all at once would hold
        up everybody else. To be closed."""

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """Commits at the end of its block, or changes nothing where the block fails."""

    async def has_table(self, name: str) -> bool:
        """Asked of the catalog: a statement that fails would stand in the server's log as an error."""

    async def close(self) -> None: ...

    def connections(self) -> Connections: ...


class OnEngine:
    """What knows its tables' SQL, and needs only an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine


def placeholders(count: int) -> str:
    """$1, $2, ... for IN: PostgreSQL has arrays as arguments, SQLite has not."""
    return ", ".join(f"${number}" for number in range(1, count + 1))

"""What a database URL says: where the file lies, or how to name the server without its password."""

from pathlib import Path


def is_postgresql(database: str) -> bool:
    return database.startswith(("postgresql://", "postgres://"))


def sqlite_path(database: str) -> Path:
    """sqlite:///data/freshrate.db is relative to the working directory, sqlite:////var/freshrate.db is absolute."""
    return Path(database.removeprefix("sqlite:///"))


def place(database: str) -> str:
    """The database for people and logs: PostgreSQL at localhost:5432/freshrate."""
    if not is_postgresql(database):
        return f"SQLite file {sqlite_path(database)}"
    server = database.partition("://")[2].rpartition("@")[2].partition("?")[0]
    return f"PostgreSQL at {server}"

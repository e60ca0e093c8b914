"""What a database URL says."""

from pathlib import Path

import pytest

from shared.storage.address import is_postgresql, place, sqlite_path


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/freshrate.db", "data/freshrate.db"),
        ("sqlite:////var/freshrate.db", "/var/freshrate.db"),
        ("sqlite:///with space%20.db", "with space%20.db"),
    ],
)
def test_a_file_is_relative_or_absolute(url: str, path: str) -> None:
    assert sqlite_path(url) == Path(path)
    assert place(url) == f"SQLite file {path}"
    assert not is_postgresql(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host:5432/rates",
        "postgres://me@host:5432/rates",
        "postgresql://me:se%40cret@host:5432/rates?sslmode=require",
        "postgresql://me:se/c?r#e:t@host:5432/rates?password=secret",
    ],
)
def test_a_server_is_named_without_what_is_secret(url: str) -> None:
    assert place(url) == "PostgreSQL at host:5432/rates"
    assert is_postgresql(url)

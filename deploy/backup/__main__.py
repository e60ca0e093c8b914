"""python -m deploy.backup TARGET: a copy of the SQLite database that DATABASE_URL names, while the service runs.

SQLite's online backup reads one committed state over a read-only connection: the service goes on writing. To copy the
file itself would lose what stands in its log (`-wal`), at times all of it. TARGET appears whole or not at all, and never in
the place of another file.
"""

import argparse
import errno
import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from shared.errors import SettingsError
from shared.settings import read_settings
from shared.storage.address import is_postgresql, sqlite_path

_PAGES_AT_ONCE = 10_000
_NO_HARD_LINKS = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_ENDED_BY_CTRL_C = 130
"""What a shell says of it."""


def back_up(source: Path, target: Path) -> None:
    """Raises OSError or sqlite3.Error where either file cannot be used; an unfinished copy does not stay."""
    if target.exists():
        raise _taken(target)
    if not target.parent.is_dir():
        raise NotADirectoryError(f"{target.parent} is no folder: make it, or name another")
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.", suffix=".unfinished")
    os.close(descriptor)
    unfinished = Path(name)
    try:
        _require_hard_links(unfinished, target)
        _copy(source, unfinished)
        # With the database's permissions: a temporary file's would keep everybody else out.
        shutil.copymode(source, unfinished)
        _sync(unfinished)
        # A link, for a rename would take the place of what another backup has made meanwhile.
        target.hardlink_to(unfinished)
    except FileExistsError:
        raise _taken(target) from None
    finally:
        unfinished.unlink(missing_ok=True)
    # A new name is durable when its folder is.
    _sync(target.parent)


def _copy(source: Path, copy: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as reader,
        closing(sqlite3.connect(copy)) as writer,
    ):
        # One transaction keeps all steps to one committed state; between two of them a Ctrl-C is heard.
        reader.execute("BEGIN")
        reader.execute("SELECT 1 FROM sqlite_schema").fetchone()
        reader.backup(writer, pages=_PAGES_AT_ONCE, progress=lambda *_: None)
        # One plain file: it needs no log beside it, and opens on read-only media.
        writer.execute("PRAGMA journal_mode = DELETE")
        [[verdict]] = writer.execute("PRAGMA quick_check(1)")
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"the copy is damaged, so {source} is too: {verdict}")


def _require_hard_links(unfinished: Path, target: Path) -> None:
    """Before the copy, which may take long."""
    probe = Path(f"{unfinished}-probe")
    try:
        probe.hardlink_to(unfinished)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        raise OSError(
            f"{target} is on a file system without hard links ({error.strerror}): "
            "back up to another folder, and copy the file from there"
        ) from error
    finally:
        probe.unlink(missing_ok=True)


def _taken(target: Path) -> FileExistsError:
    return FileExistsError(f"{target} exists already: name another file")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _source() -> Path:
    database = read_settings().database
    if is_postgresql(database):
        raise SettingsError("DATABASE_URL names PostgreSQL: use pg_dump -Fc, and pg_restore to bring it back")
    return sqlite_path(database)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=__doc__)
    parser.add_argument("target", type=Path, metavar="TARGET", help="the file to make; it must not exist yet")
    target: Path = parser.parse_args().target
    try:
        back_up(_source(), target)
    except (SettingsError, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"backup: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("backup: stopped; nothing unfinished is left\n")
        return _ENDED_BY_CTRL_C
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

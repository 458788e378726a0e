# SPDX-License-Identifier: Apache-2.0
"""Copies of an SQLite metadata database: taken while servers write, checked, and put in place.

A copy is one moment's state: the pages come in one read transaction, which holds up nobody. It is complete and on disk
under its name, or it is not there.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from lakehouse.core.errors import DataDamaged, StorageUnavailable
from lakehouse.db.migrations import MIGRATIONS
from lakehouse.db.migrations.migration import require_known
from lakehouse.sqlite.connection import check_version, open_reading

if TYPE_CHECKING:
    from pathlib import Path

AHEAD = 1_000_000
"""How far ids are moved on in a copy that takes a database's place: what was given after it is not given again."""
_CHUNK = 1 << 20


def copy_database(source: Path, target: Path) -> None:
    """Copy the database at `source` to the new file `target`. Other processes may write meanwhile.

    Raises StorageUnavailable.
    """
    check_version()
    try:
        with closing(open_reading(source)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing, pages=-1)
            writing.execute("pragma journal_mode = delete").close()
        _sync(target)
    except (sqlite3.Error, OSError) as error:
        raise StorageUnavailable(f"the database {source} cannot be copied to {target}: {error}") from error


def check_copy(path: Path) -> list[str]:
    """Read a copy from end to end; the migrations that it has had. Raises DataDamaged, DataTooNew."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            wrong = [row[0] for row in connection.execute("pragma integrity_check(10)") if row[0] != "ok"]
            names = [
                row[0]
                for row in connection.execute(
                    "select name from _sqlite_migrations where migration_set = 'lakehouse' order by name"
                )
            ]
    except sqlite3.Error as error:
        raise DataDamaged(f"{path} is no database of a lake: {error}") from error
    if wrong:
        raise DataDamaged(f"the database {path} is damaged: {wrong[0]}")
    require_known(names, MIGRATIONS)
    return names


def move_ids_on(path: Path) -> None:
    """Let no id be given again that may have been given since the copy was taken. Raises StorageUnavailable."""
    try:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("update sqlite_sequence set seq = seq + ?", (AHEAD,))
        _sync(path)
    except sqlite3.Error as error:
        raise StorageUnavailable(f"the database {path} cannot be written: {error}") from error


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _sync(path: Path) -> None:
    for name, flags in ((path, os.O_RDONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
        file = os.open(name, flags)
        try:
            os.fsync(file)
        finally:
            os.close(file)

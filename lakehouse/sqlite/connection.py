# SPDX-License-Identifier: Apache-2.0
"""Opening SQLite files the one way that keeps acknowledged writes: WAL with `synchronous=FULL`.

A file has one writing connection a process (owned by `writer.Writer`) and read-only connections, one a thread, because
a read-only connection can neither write nor checkpoint. Nothing else in the process may open the file, not even to
copy it: closing any descriptor of it drops SQLite's locks (they are POSIX locks).
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from lakehouse.core.errors import StartupError

if TYPE_CHECKING:
    from pathlib import Path

OLDEST = (3, 37, 0)
"""The first SQLite that has STRICT tables."""

BUSY_SECONDS = 10.0
"""How long to wait for a program that holds the file without the turnstile, such as SQLite's own shell."""
STATEMENTS = 512
"""Prepared statements that a connection keeps."""
WRITE_CACHE_KIB = 32 * 1024
READ_CACHE_KIB = 4 * 1024
MMAP_BYTES = 1 << 30
"""Pages below this offset are read from the page cache of the system, without a copy."""
CHECKPOINT_PAGES = 2000
"""Log pages after which a commit moves them to the file. Part of the COMMIT, hence under the turnstile."""
LOG_LIMIT_BYTES = 64 << 20
"""A log that grew beyond this (a reader held it up) is cut back to this."""


def check_version(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Raise StartupError when the SQLite library is too old."""
    if version < OLDEST:
        have, need = (".".join(map(str, numbers)) for numbers in (version, OLDEST))
        raise StartupError(
            f"SQLite {have} is too old: {need} or newer is needed. "
            "Use a Python that is built with a newer SQLite, or install a newer libsqlite3."
        )


def open_writing(path: Path) -> sqlite3.Connection:
    """The writing connection, in autocommit mode; makes the file. Call it, and close it, under the turnstile.

    Raises StartupError when the file cannot be opened or is no database.
    """
    check_version()
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS
        )
    except sqlite3.Error as error:
        raise StartupError(_cannot_open(path, error)) from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise StartupError(_cannot_open(path, error)) from error
    except StartupError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("pragma journal_mode = wal").fetchone()
    if mode != "wal":
        raise StartupError(f"{path}: this file system cannot hold a database in WAL mode; use a local disk")
    for pragma in (
        "synchronous = full",
        "foreign_keys = on",
        "secure_delete = off",
        "temp_store = memory",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        f"journal_size_limit = {LOG_LIMIT_BYTES}",
        f"cache_size = -{WRITE_CACHE_KIB}",
        f"mmap_size = {MMAP_BYTES}",
    ):
        connection.execute(f"pragma {pragma}").close()


def open_reading(path: Path) -> sqlite3.Connection:
    """A read-only connection; a writing one must have made the file. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS,
    )
    for pragma in (f"cache_size = -{READ_CACHE_KIB}", f"mmap_size = {MMAP_BYTES}", "temp_store = memory"):
        connection.execute(f"pragma {pragma}").close()
    return connection


def _cannot_open(path: Path, error: sqlite3.Error) -> str:
    return f"{path}: the database cannot be opened ({error}); check that the folder exists, is writable and has space"

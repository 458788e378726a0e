# SPDX-License-Identifier: Apache-2.0
"""What SQLite's errors mean to a caller: the disk is full, the database cannot be used now, or the program is wrong."""

from __future__ import annotations

import sqlite3

from lakehouse.core.errors import DatabaseUnavailable, StorageFull, Unavailable

_BUGS = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    }
)
"""Primary codes that a repeat meets again: a mistake in a statement, or in its parameters."""


def unavailable(error: BaseException) -> Unavailable | None:
    """The error to raise in place of SQLite's own; None for a mistake of the program, which stays what it is."""
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF in _BUGS:
        return None
    return as_unavailable(error)


def as_unavailable(error: BaseException) -> Unavailable:
    """The error for callers whose transaction was lost to `error`."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return StorageFull()
    return DatabaseUnavailable(f"{DatabaseUnavailable.default} ({error})")

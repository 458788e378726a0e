# SPDX-License-Identifier: Apache-2.0
"""Read-only connections, one for each thread that reads.

Each read is one statement that is finished before the call returns, so that no read transaction outlives it and the
log can be checkpointed.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from lakehouse.core.errors import DatabaseUnavailable
from lakehouse.sqlite.connection import open_reading
from lakehouse.sqlite.failure import unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CLOSED = "the database is closed"


class _Local(threading.local):
    connection: sqlite3.Connection | None = None


class Readers:
    """Reads of the file at `path`, on whichever thread calls. Opened when first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = _Local()
        self._lock = threading.Lock()
        self._all: list[sqlite3.Connection] = []
        self._closed = False

    def one(self, sql: str, params: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row, or None. Raises DatabaseUnavailable."""
        try:
            row: tuple[Any, ...] | None = (self._local.connection or self._open()).execute(sql, params).fetchone()
        except sqlite3.Error as error:
            raise self._failure(error) from error
        return row

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows. Raises DatabaseUnavailable."""
        try:
            return (self._local.connection or self._open()).execute(sql, params).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Close the connections of all threads; none of them may be reading. May be called again."""
        with self._lock:
            self._closed = True
            while self._all:
                self._all.pop().close()

    def _failure(self, error: sqlite3.Error) -> Exception:
        return DatabaseUnavailable(CLOSED) if self._closed else unavailable(error) or error

    def _open(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise DatabaseUnavailable(CLOSED)
            connection = open_reading(self._path)
            self._all.append(connection)
        self._local.connection = connection
        return connection

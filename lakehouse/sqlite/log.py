# SPDX-License-Identifier: Apache-2.0
"""Keeping the write-ahead log bounded when readers never pause.

A commit moves the log's pages to the file now and then, but the log begins anew only at a moment when nobody reads
from it; with several processes that read all the time such a moment may not come. So a log that has outgrown its limit
is cut back by force: new readers are sent to the file, and the few microseconds are waited that others still need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sqlite.connection import BUSY_SECONDS, LOG_LIMIT_BYTES

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

PATIENCE_MS = 100
"""How long a reader may hold the log; then it is left to grow by another limit before the next try."""


class Log:
    """The log of the database at `path`, as its writing connection sees it. Use it under the turnstile."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, limit: int = LOG_LIMIT_BYTES) -> None:
        self._connection = connection
        self._file = path.with_name(f"{path.name}-wal")
        self._limit = self._next = limit

    def relieve(self) -> None:
        """Cut the log back if it has outgrown its limit (in bytes). Between transactions. Raises sqlite3.Error.

        A log that was begun anew is cut to the limit by SQLite itself, so a larger file is one that was not.
        """
        size = self._file.stat().st_size
        if size <= self._next:
            return
        self._connection.execute(f"pragma busy_timeout = {PATIENCE_MS}").close()
        try:
            (busy, _, _) = self._connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        finally:
            self._connection.execute(f"pragma busy_timeout = {BUSY_SECONDS * 1000:.0f}").close()
        self._next = size + self._limit if busy else self._limit

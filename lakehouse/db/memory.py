# SPDX-License-Identifier: Apache-2.0
"""What was read from an SQLite file, as long as it cannot have changed.

Nearly every request looks up the same few rows: its caller's key, its repository, its branch. Their tables are written
seldom, so a lookup is remembered until any of them is written, by whichever process (`sqlite.generation`). The tables
in `RESTLESS` are written all the time: their writes disturb nothing here, and no read that names them is remembered.

Invariant: a row that comes from here is what the database would have answered at that moment. Programs that write to
the file without our writer are noticed within `SECONDS`.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lakehouse.db.port import Lookup, Row
    from lakehouse.db.statement import Statement
    from lakehouse.sqlite.generation import Generation

    Read = Callable[[str, Sequence[Any]], Row | None]

RESTLESS = ("staged", "staged_pages", "dropped", "cache_entries", "cache_reservations")
"""Tables that no remembered read may name."""
SECONDS = 1.0
"""How long anything is remembered at most."""
MOST = 4096
"""Lookups that are remembered at the same time."""

_NAMES = re.compile(rf"\b(?:{'|'.join(RESTLESS)})\b", re.IGNORECASE)
_QUIET = re.compile(rf"(?:select\b|(?:insert into|update|delete from) (?:{'|'.join(RESTLESS)})\b)")
_UNKNOWN: Any = object()


class Memory:
    """Remembers single rows by statement and parameters. For one thread."""

    def __init__(self, generation: Generation, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._generation = generation
        self._clock = clock
        self._rows: dict[tuple[str, Sequence[Any]], Row | None] = {}
        self._seen = 0
        self._until = 0.0
        self._fit: dict[str, bool] = {}

    def one(self, read: Read, sql: str, params: Sequence[Any]) -> Row | None:
        """The first row of a SELECT, as `read` finds it or found it before."""
        fit = self._fit.get(sql)
        if fit is None:
            fit = self._judge(sql)
        generation = self._generation.now()
        if not fit or generation & 1:
            return read(sql, params)
        now = self._clock()
        if generation != self._seen or now >= self._until:
            self._rows.clear()
            self._seen, self._until = generation, now + SECONDS
        key = (sql, params)
        row: Row | None = self._rows.get(key, _UNKNOWN)
        if row is _UNKNOWN:
            row = read(sql, params)
            if len(self._rows) >= MOST:
                self._rows.clear()
            self._rows[key] = row
        return row

    def both(self, read: Read, joined: Lookup, seldom: Lookup, often: Callable[[Row], Lookup]) -> Row | None:
        """The first row of `joined`, made of the remembered one of `seldom` and the column that `often` finds beside
        it, if the first cannot have changed until the second was read.
        """
        generation = self._generation.now()
        if not generation & 1:
            row = self.one(read, *seldom)
            beside = None if row is None else read(*often(row))
            if generation == self._generation.now():
                return None if row is None else (*row, None if beside is None else beside[0])
        return read(*joined)

    def _judge(self, sql: str) -> bool:
        if len(self._fit) >= MOST:
            self._fit.clear()
        return self._fit.setdefault(sql, _NAMES.search(sql) is None)


def disturbs(statements: Sequence[Statement]) -> bool:
    """Whether a transaction writes to a table whose rows may be remembered."""
    return any(_QUIET.match(statement.sql) is None for statement in statements)

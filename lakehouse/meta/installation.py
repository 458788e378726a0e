# SPDX-License-Identifier: Apache-2.0
"""Facts about this installation as a whole: key and value, each written under a guard.

A key is set once by whoever comes first (`ensure`); a change names the value that it replaces (`exchange`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from lakehouse.db.port import Database


async def find(db: Database, key: str) -> str | None:
    """The value of `key`, or None."""
    row = await db.one("select value from installation where key = ?", (key,))
    return None if row is None else cast("str", row[0])


async def ensure(db: Database, key: str, value: str) -> str:
    """Set `key` unless it is set, and return what it is now: of many callers all get the same."""
    await db.apply(
        Statement("insert into installation(key, value) values (?, ?) on conflict (key) do nothing", (key, value))
    )
    return await find(db, key) or value


def insert(key: str, value: str, *, otherwise: Exception) -> Statement:
    """Set `key` for the first time, else refuse with `otherwise`."""
    return Statement(
        "insert into installation(key, value) values (?, ?) on conflict (key) do nothing",
        (key, value),
        rows=1,
        otherwise=otherwise,
    )


def put(key: str, value: str) -> Statement:
    """Set `key`, whatever it was."""
    return Statement(
        "insert into installation(key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
        (key, value),
    )


def exchange(key: str, old: str, new: str, *, otherwise: Exception | None = None) -> Statement:
    """Replace the value `old` by `new`. With `otherwise`, refuse when it is another; without, leave it alone."""
    return Statement(
        "update installation set value = ? where key = ? and value = ?",
        (new, key, old),
        rows=None if otherwise is None else 1,
        otherwise=otherwise,
    )


def advance(key: str, old: str, new: str, *, otherwise: Exception) -> Statement:
    """Bring `key` to `new` from `old` or from nothing; refuse with `otherwise` when it has any other value."""
    return Statement(
        "insert into installation(key, value) values (?, ?) "
        "on conflict (key) do update set value = excluded.value where installation.value = ?",
        (key, new, old),
        rows=1,
        otherwise=otherwise,
    )

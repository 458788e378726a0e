# SPDX-License-Identifier: Apache-2.0
"""Table `leases`: who is at work on something that others had better wait for.

A lease is a hint between processes: it spares work that would be lost, and correctness never hangs on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from lakehouse.db.port import Database


def claim(name: str, owner: str, *, now: int, until: int) -> Statement:
    """Hold a lease until `until` (seconds), or for longer than so far. Nothing happens when another holds it now."""
    return Statement(
        "insert into leases(name, owner, until) values (?, ?, ?) on conflict(name) do update "
        "set owner = excluded.owner, until = excluded.until where leases.owner = excluded.owner or leases.until < ?",
        (name, owner, until, now),
    )


def release(name: str, owner: str) -> Statement:
    """Let go of a lease; nothing happens when another has it."""
    return Statement("delete from leases where name = ? and owner = ?", (name, owner))


async def holder(db: Database, name: str, *, now: int) -> tuple[str, int] | None:
    """Who holds a lease now, and until when (seconds)."""
    row = await db.one("select owner, until from leases where name = ? and until >= ?", (name, now))
    return None if row is None else (row[0], row[1])

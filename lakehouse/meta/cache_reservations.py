# SPDX-License-Identifier: Apache-2.0
"""Table `cache_reservations`: who computes what the cache does not have yet.

Invariant: at any moment one owner holds a scope. A claim is one conditional statement, so that of many claims at the
same time, in any number of processes, one changes the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from lakehouse.db.port import Database


class Held(msgspec.Struct, frozen=True):
    """A reservation: `heartbeat` and `expires` in microseconds."""

    owner: str
    heartbeat: int
    expires: int


async def find(db: Database, scope: bytes) -> Held | None:
    """The reservation of a scope, expired or not."""
    row = await db.one("select owner, heartbeat, expires from cache_reservations where scope = ?", (scope,))
    return None if row is None else Held(*row)


def claim(scope: bytes, held: Held, *, now: int) -> Statement:
    """Hold a scope that nobody holds, that the same owner holds, or whose time is over; returns a row if so."""
    return Statement(
        "insert into cache_reservations(scope, owner, heartbeat, expires) values (?, ?, ?, ?) on conflict (scope) "
        "do update set owner = excluded.owner, heartbeat = excluded.heartbeat, expires = excluded.expires "
        "where cache_reservations.owner = excluded.owner or cache_reservations.expires <= ? returning 1",
        (scope, held.owner, held.heartbeat, held.expires, now),
    )


def release(scope: bytes, owner: str) -> Statement:
    """Let go of a scope; nothing happens when another holds it, or nobody."""
    return Statement("delete from cache_reservations where scope = ? and owner = ?", (scope, owner))


def forget_expired(*, before: int, limit: int) -> Statement:
    """Remove some reservations whose time was over before `before`; returns a row for each."""
    return Statement(
        "delete from cache_reservations where scope in "
        "(select scope from cache_reservations where expires < ? limit ?) and expires < ? returning 1",
        (before, limit, before),
    )

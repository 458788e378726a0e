# SPDX-License-Identifier: Apache-2.0
"""Table `cache_entries`: what tasks have computed, by the key of task and inputs.

A change of an entry names what it replaces, so that of two who overwrite one entry each knows what became of the
other's outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import LostRace
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from lakehouse.db.port import Database

_COLUMNS = "scope, org, project, domain, key, uri, object, metadata, created, updated"


class CacheRow(msgspec.Struct, frozen=True):
    """An entry. `metadata` is JSON, times are in microseconds.

    `object` is the path of outputs that the cache keeps itself, "" where `uri` leads elsewhere.
    """

    scope: bytes
    org: str
    project: str
    domain: str
    key: str
    uri: str
    object: str
    metadata: str
    created: int
    updated: int


async def find(db: Database, scope: bytes) -> CacheRow | None:
    """The entry of a scope."""
    row = await db.one(f"select {_COLUMNS} from cache_entries where scope = ?", (scope,))
    return None if row is None else CacheRow(*row)


def insert(row: CacheRow) -> Statement:
    """Add an entry. Raises LostRace when there is one."""
    return Statement(
        f"insert into cache_entries({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (scope) do nothing",
        msgspec.structs.astuple(row),
        rows=1,
        otherwise=LostRace(),
    )


def replace(row: CacheRow, *, seen: CacheRow) -> Statement:
    """Put `row` in the place of an entry that is as it was seen. Raises LostRace."""
    return Statement(
        "update cache_entries set uri = ?, object = ?, metadata = ?, created = ?, updated = ? "
        "where scope = ? and updated = ? and uri = ?",
        (row.uri, row.object, row.metadata, row.created, row.updated, row.scope, seen.updated, seen.uri),
        rows=1,
        otherwise=LostRace(),
    )


def delete(seen: CacheRow) -> Statement:
    """Remove an entry that is as it was seen; returns a row if it was."""
    return Statement(
        "delete from cache_entries where scope = ? and updated = ? and uri = ? returning 1",
        (seen.scope, seen.updated, seen.uri),
    )


async def untouched(db: Database, *, before: int, limit: int) -> list[CacheRow]:
    """Some entries that nobody has written since `before`, the oldest first."""
    rows = await db.all(
        f"select {_COLUMNS} from cache_entries where updated < ? order by updated limit ?", (before, limit)
    )
    return [CacheRow(*row) for row in rows]

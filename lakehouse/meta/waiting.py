# SPDX-License-Identifier: Apache-2.0
"""Default branches with changes that nobody has committed, of repositories with a mark in their metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lakehouse.db.port import Database
    from lakehouse.db.statement import Scalar

PAGE = 200
_metadata = msgspec.json.Decoder(dict[str, str])
_CHANGED = (
    "(f.sealed <> '' or f.base is not null or exists (select 1 from staged s where s.token = f.staging_token{more}))"
)


async def page(
    db: Database, *, mark: str, before: int | None, changes: int | None, after: str
) -> list[tuple[str, str]]:
    """Some repositories and their default branches, in order of name, after `after`.

    Those that have changes and whose head was moved `before` (seconds) or earlier, or that have at least `changes`
    of them; changes that were set aside already, for a commit or in a fold, count as enough.
    """
    due: list[str] = []
    params: list[Scalar] = [after, f'%"{mark}":"true"%']
    if before is not None:
        due.append(f"(f.updated <= ? and {_CHANGED.format(more='')})")
        params.append(before)
    if changes is not None:
        due.append(_CHANGED.format(more=" limit 1 offset ?"))
        params.append(changes - 1)
    if not due:
        return []
    rows = await db.all(
        "select r.name, r.default_branch, r.metadata from repositories r "
        "join refs f on f.repository = r.id and f.name = r.default_branch and f.kind = 0 "
        "where r.name > ? and r.state = 'active' and r.read_only = 0 and r.metadata like ? "
        f"and ({' or '.join(due)}) order by r.name limit ?",
        (*params, PAGE),
    )
    return [(row[0], row[1]) for row in rows if _metadata.decode(row[2]).get(mark) == "true"]

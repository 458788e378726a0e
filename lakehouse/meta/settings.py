# SPDX-License-Identifier: Apache-2.0
"""Table `settings`: a repository's rules, each a JSON value with an ETag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import PreconditionFailed
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from lakehouse.core.ids import RepositoryId
    from lakehouse.db.port import Database


async def find(db: Database, repository: RepositoryId, key: str) -> tuple[str, str] | None:
    """The value (JSON) and its ETag."""
    row = await db.one("select value, etag from settings where repository = ? and key = ?", (repository, key))
    return None if row is None else (row[0], row[1])


def put(repository: RepositoryId, key: str, value: str, etag: str) -> Statement:
    """Set a value, whatever was there."""
    return Statement(
        "insert into settings(repository, key, value, etag) values (?, ?, ?, ?) "
        "on conflict(repository, key) do update set value = excluded.value, etag = excluded.etag",
        (repository, key, value, etag),
    )


def put_if(repository: RepositoryId, key: str, value: str, etag: str, *, seen: str) -> Statement:
    """Set a value if its ETag is `seen` ("": nothing is stored). Raises PreconditionFailed."""
    if not seen:
        sql = (
            "insert into settings(repository, key, value, etag) values (?, ?, ?, ?) "
            "on conflict(repository, key) do nothing"
        )
        return Statement(sql, (repository, key, value, etag), rows=1, otherwise=PreconditionFailed())
    return Statement(
        "update settings set value = ?, etag = ? where repository = ? and key = ? and etag = ?",
        (value, etag, repository, key, seen),
        rows=1,
        otherwise=PreconditionFailed(),
    )


def forget_all(repository: RepositoryId) -> Statement:
    """Remove every setting of a repository."""
    return Statement("delete from settings where repository = ?", (repository,))

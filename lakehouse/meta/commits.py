# SPDX-License-Identifier: Apache-2.0
"""Table `commits`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.ids import CommitId, MetaRangeId, RepositoryId
from lakehouse.core.records import Commit
from lakehouse.db.statement import Statement
from lakehouse.meta.repositories import encode_metadata

if TYPE_CHECKING:
    from lakehouse.db.port import Database, Row

_COLUMNS = "id, parents, root, committer, message, created, metadata, generation, version"
_WIDTH = 9
_parents = msgspec.json.Decoder(tuple[str, ...])
_metadata = msgspec.json.Decoder(dict[str, str])


def _commit(row: Row) -> Commit:
    return Commit(
        id=CommitId(row[0]),
        parents=tuple(CommitId(parent) for parent in _parents.decode(row[1])),
        root=MetaRangeId(row[2]),
        committer=row[3],
        message=row[4],
        created=row[5],
        metadata=_metadata.decode(row[6]),
        generation=row[7],
        version=row[8],
    )


async def find(db: Database, repository: RepositoryId, commit_id: str) -> Commit | None:
    """The commit of this id."""
    row = await db.one(f"select {_COLUMNS} from commits where repository = ? and id = ?", (repository, commit_id))
    return None if row is None else _commit(row)


async def find_with_paths(db: Database, repository: RepositoryId, commit_id: str) -> tuple[Commit, bytes | None] | None:
    """The commit of this id, and the filter over the paths that it changed against its first parent (None: unknown)."""
    row = await db.one(
        f"select {_COLUMNS}, paths from commits where repository = ? and id = ?", (repository, commit_id)
    )
    return None if row is None else (_commit(row), row[_WIDTH])


async def find_by_prefix(db: Database, repository: RepositoryId, prefix: str) -> list[Commit]:
    """Up to two commits whose id begins with `prefix` (hex digits)."""
    rows = await db.all(
        f"select {_COLUMNS} from commits where repository = ? and id >= ? and id < ? limit 2",
        (repository, prefix, prefix + "g"),
    )
    return [_commit(row) for row in rows]


def insert(repository: RepositoryId, commit: Commit, paths: bytes | None) -> Statement:
    """Add a commit. Nothing happens when it is there: two branches may make the same commit in one second."""
    return Statement(
        "insert into commits(repository, id, parents, root, committer, message, created, metadata, generation, paths, "
        "state, version) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'active', ?) on conflict(repository, id) do nothing",
        (
            repository,
            commit.id,
            msgspec.json.encode(commit.parents).decode(),
            commit.root,
            commit.committer,
            commit.message,
            commit.created,
            encode_metadata(commit.metadata),
            commit.generation,
            paths,
            commit.version,
        ),
    )


def forget_some(repository: RepositoryId) -> Statement:
    """Remove up to 1,000 commits of a repository; returns a row for each."""
    return Statement(
        "delete from commits where repository = ? and id in "
        "(select id from commits where repository = ? limit 1000) returning 1",
        (repository, repository),
    )

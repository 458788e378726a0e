# SPDX-License-Identifier: Apache-2.0
"""Table `commits`."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lakehouse.core.errors import CommitExpired
from lakehouse.core.ids import CommitId, MetaRangeId, RepositoryId
from lakehouse.core.records import Commit
from lakehouse.db.statement import Scope, Statement, shared
from lakehouse.meta.repositories import encode_metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lakehouse.db.port import Database, Row

_COLUMNS = "id, parents, root, committer, message, created, metadata, generation, version"
_CHAIN = (  # a commit's parents are a JSON array of strings of 64 digits: the first begins at the third character
    "with recursive chain(id, parents, root, generation, paths, created, depth) as ("
    "select id, parents, root, generation, paths, created, 0 from commits where repository = ? and id = ? union all "
    "select c.id, c.parents, c.root, c.generation, c.paths, c.created, chain.depth + 1 from chain "
    "join commits c on c.repository = ? and c.id = substr(chain.parents, 3, 64) where chain.depth < ?) "
    "select id, parents, root, generation, paths, created, depth from chain"
)
_ONE_PARENT = 68
"""Characters of an array of one parent."""
_parents = msgspec.json.Decoder(tuple[str, ...])
_metadata = msgspec.json.Decoder(dict[str, str])


def _commit(row: Row) -> Commit:
    return Commit(
        id=CommitId(row[0]),
        parents=_parents_of(row[1]),
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


class Ancestor(NamedTuple):
    """What a walk through history needs of a commit. `paths` is the filter over what it changed (None: unknown)."""

    id: CommitId
    parents: tuple[CommitId, ...]
    root: MetaRangeId
    generation: int
    paths: bytes | None
    created: int


async def first_parents(db: Database, repository: RepositoryId, commit_id: CommitId, *, limit: int) -> list[Ancestor]:
    """A commit, its first parent, the first parent of that one and so on: up to `limit`, in one statement."""
    rows = await db.all(_CHAIN, (repository, commit_id, repository, limit - 1))
    rows.sort(key=itemgetter(6))
    return [Ancestor(row[0], _parents_of(row[1]), *row[2:6]) for row in rows]


def _parents_of(text: str) -> tuple[CommitId, ...]:
    if len(text) == _ONE_PARENT:
        return (CommitId(text[2:66]),)
    return tuple(CommitId(parent) for parent in _parents.decode(text))


async def find_many(db: Database, repository: RepositoryId, ids: Sequence[CommitId]) -> dict[CommitId, Commit]:
    """Commits by their ids; those that are not there are left out."""
    found: dict[CommitId, Commit] = {}
    for at in range(0, len(ids), 500):
        part = ids[at : at + 500]
        marks = ", ".join("?" * len(part))
        rows = await db.all(
            f"select {_COLUMNS} from commits where repository = ? and id in ({marks})", (repository, *part)
        )
        found |= {commit.id: commit for commit in map(_commit, rows)}
    return found


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


async def pages_with_paths(db: Database, repository: RepositoryId) -> AsyncIterator[list[tuple[Commit, bytes | None]]]:
    """All commits with the filters over their paths, in order of id, in pages."""
    sql = f"select {_COLUMNS}, paths from commits where repository = ? and id > ? order by id limit 1000"
    after = ""
    while rows := await db.all(sql, (repository, after)):
        yield [(_commit(row), row[-1]) for row in rows]
        after = rows[-1][0]


async def has_root(db: Database, repository: RepositoryId, root: MetaRangeId) -> bool:
    """Whether a commit that retention keeps has this tree. Reads all commits in the worst case."""
    sql = "select 1 from commits where repository = ? and root = ? and state <> 'expired' limit 1"
    return await db.one(sql, (repository, root)) is not None


async def is_expired(db: Database, repository: RepositoryId, commit_id: CommitId) -> bool:
    """Whether retention has dropped a commit, so that its objects may be gone."""
    sql = "select 1 from commits where repository = ? and id = ? and state = 'expired'"
    return await db.one(sql, (repository, commit_id)) is not None


def require_active(repository: RepositoryId, commit_id: CommitId) -> Statement:
    """Change nothing; raises CommitExpired when retention has dropped the commit."""
    return Statement(
        "select 1 from commits where repository = ? and id = ? and state <> 'expired'",
        (repository, commit_id),
        rows=1,
        otherwise=CommitExpired(),
        locks=shared(Scope.REPOSITORY, repository),
    )


def forget_some(repository: RepositoryId) -> Statement:
    """Remove up to 1,000 commits of a repository; returns a row for each."""
    return Statement(
        "delete from commits where repository = ? and id in "
        "(select id from commits where repository = ? limit 1000) returning 1",
        (repository, repository),
    )

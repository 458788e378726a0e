# SPDX-License-Identifier: Apache-2.0
"""What garbage collection reads of the other tables, and tables `gc_candidates` and `gc_runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.ids import BranchId, CommitId, MetaRangeId, StagingToken
from lakehouse.db.statement import Scope, Statement, exclusive
from lakehouse.meta.refs import tokens_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lakehouse.core.ids import RepositoryId
    from lakehouse.db.port import Database

_PAGE = 1000


class HeldRef(msgspec.Struct, frozen=True):
    """A branch or a tag with what it keeps: a commit; a branch also a base tree and staging areas."""

    id: BranchId
    name: str
    is_branch: bool
    commit: CommitId
    base: MetaRangeId | None
    tokens: tuple[StagingToken, ...]
    hidden: bool
    updated: int


class CommitRow(msgspec.Struct, frozen=True):
    """What retention asks of a commit."""

    id: CommitId
    parent: CommitId | None
    root: MetaRangeId
    created: int
    expired: bool


class Candidate(msgspec.Struct, frozen=True):
    """A key below the namespace that a mark found unreferenced, first at `found` (seconds). `size` in bytes."""

    key: str
    size: int
    found: int


_parents = msgspec.json.Decoder(tuple[str, ...])


async def held_refs(db: Database, repository: RepositoryId) -> AsyncIterator[list[HeldRef]]:
    """All branches and tags, in pages. Each row is read at once."""
    sql = (
        "select id, name, kind, commit_id, base, staging_token, sealed, hidden, updated from refs "
        "where repository = ? and id > ? order by id limit ?"
    )
    after = 0
    while rows := await db.all(sql, (repository, after, _PAGE)):
        yield [
            HeldRef(
                id=BranchId(row[0]),
                name=row[1],
                is_branch=row[2] == 0,
                commit=CommitId(row[3]),
                base=row[4],
                tokens=() if row[5] is None else (StagingToken(row[5]), *tokens_of(row[6])),
                hidden=bool(row[7]),
                updated=row[8],
            )
            for row in rows
        ]
        after = rows[-1][0]


async def dropped_tokens(db: Database) -> list[StagingToken]:
    """Staging areas that no branch shows, or none yet: their rows may go to another area, or come from one."""
    return [StagingToken(row[0]) for row in await db.all("select token from dropped")]


async def upload_addresses(db: Database, repository: RepositoryId) -> list[str]:
    """Relative addresses of unfinished uploads."""
    return [row[0] for row in await db.all("select address from uploads where repository = ?", (repository,))]


async def commit_rows(db: Database, repository: RepositoryId) -> AsyncIterator[list[CommitRow]]:
    """All commits, in pages, in order of id."""
    sql = "select id, parents, root, created, state from commits where repository = ? and id > ? order by id limit ?"
    after = ""
    while rows := await db.all(sql, (repository, after, _PAGE)):
        yield [
            CommitRow(CommitId(row[0]), _first(row[1]), MetaRangeId(row[2]), row[3], row[4] == "expired")
            for row in rows
        ]
        after = rows[-1][0]


def _first(parents: str) -> CommitId | None:
    listed = _parents.decode(parents)
    return CommitId(listed[0]) if listed else None


async def moved_to(db: Database, branch: BranchId, *, since: int) -> list[CommitId]:
    """The heads that a branch had since `since` (seconds), also the one it had then."""
    rows = await db.all("select old, new from reflog where branch = ? and at >= ?", (branch, since))
    return [CommitId(value) for row in rows for value in row if value]


def expire(repository: RepositoryId, commits: Sequence[CommitId]) -> Statement:
    """Nobody may start from these commits any more, but those that a branch or tag names. Returns their ids."""
    return Statement(
        "update commits set state = 'expired' where repository = ? and id = ? and state <> 'expired' "
        "and not exists (select 1 from refs f where f.repository = commits.repository and f.commit_id = commits.id) "
        "returning id",
        many=tuple((repository, commit) for commit in sorted(commits)),
        locks=exclusive(Scope.REPOSITORY, repository),
    )


def revive(repository: RepositoryId, commits: Sequence[CommitId]) -> Statement:
    """Take back an `expire` of a moment ago."""
    return Statement(
        "update commits set state = 'active' where repository = ? and id = ?",
        many=tuple((repository, commit) for commit in sorted(commits)),
        locks=exclusive(Scope.REPOSITORY, repository),
    )


async def candidates(db: Database, repository: RepositoryId, *, first: str, last: str) -> dict[str, int]:
    """When the candidates from `first` to `last` were first found, by key."""
    rows = await db.all(
        "select key, found from gc_candidates where repository = ? and key >= ? and key <= ?",
        (repository, first, last),
    )
    return {row[0]: row[1] for row in rows}


async def ripe(
    db: Database, repository: RepositoryId, *, mark: int, found_before: int, prefix: str, after: str
) -> list[Candidate]:
    """Candidates of this mark that were first found before `found_before`, in order of key."""
    rows = await db.all(
        "select key, size, found from gc_candidates where repository = ? and mark = ? and found <= ? "
        "and key > ? and key < ? order by key limit ?",
        (repository, mark, found_before, max(after, prefix), prefix + "\U0010ffff", _PAGE),
    )
    return [Candidate(*row) for row in rows]


def note_candidates(repository: RepositoryId, found: Sequence[Candidate], *, mark: int) -> Statement:
    """These were found unreferenced by mark number `mark`; their first time stays what it is."""
    return Statement(
        "insert into gc_candidates(repository, key, size, found, mark) values (?, ?, ?, ?, ?) "
        "on conflict(repository, key) do update set mark = excluded.mark, size = excluded.size",
        many=tuple((repository, one.key, one.size, one.found, mark) for one in found),
    )


def forget_candidates(repository: RepositoryId, keys: Sequence[str]) -> Statement:
    """These are deleted."""
    return Statement(
        "delete from gc_candidates where repository = ? and key = ?", many=tuple((repository, key) for key in keys)
    )


def forget_other_marks(repository: RepositoryId, *, mark: int) -> Statement:
    """What was a candidate once and was not found by this mark is none any more."""
    return Statement("delete from gc_candidates where repository = ? and mark <> ?", (repository, mark))


async def last_mark(db: Database, repository: RepositoryId) -> int:
    """The number of the newest mark, 0 without any."""
    row = await db.one("select max(mark) from gc_candidates where repository = ?", (repository,))
    return 0 if row is None or row[0] is None else int(row[0])


def note_run(repository: RepositoryId, run: str, *, started: int, finished: int, report: str) -> Statement:
    """Keep the report of a run (JSON)."""
    return Statement(
        "insert into gc_runs(repository, id, started, finished, report) values (?, ?, ?, ?, ?)",
        (repository, run, started, finished, report),
    )


async def runs(db: Database, repository: RepositoryId, *, after: str, limit: int) -> list[tuple[str, str]]:
    """Ids and reports of runs, newest first, after `after`."""
    rows = await db.all(
        "select id, report from gc_runs where repository = ? and id > ? order by id limit ?",
        (repository, after, limit),
    )
    return [(row[0], row[1]) for row in rows]


def forget_all(repository: RepositoryId) -> list[Statement]:
    """Remove everything that collections of a repository have noted."""
    return [
        Statement("delete from gc_candidates where repository = ?", (repository,)),
        Statement("delete from gc_runs where repository = ?", (repository,)),
    ]

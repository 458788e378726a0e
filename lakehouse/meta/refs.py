# SPDX-License-Identifier: Apache-2.0
"""Tables `refs` (branches and tags in one name space) and `reflog`.

A branch row names its staging tokens: `staging_token` takes the writes, `sealed` are those that a commit is taking,
as text, newest first, each number followed by a comma, so that "these are the oldest" is "the text ends with these".
`version` grows in every statement that changes head, base or tokens.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import BranchExists, BranchNotFound, LostRace, RepositoryNotFound, TagExists, TagNotFound
from lakehouse.core.ids import BranchId, BranchName, CommitId, MetaRangeId, RepositoryId, StagingToken
from lakehouse.core.records import Branch, Ref, RefKind, Repository
from lakehouse.db.statement import Scope, Statement, exclusive, shared
from lakehouse.meta import repositories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.db.port import Database, Row

_COLUMNS = (
    "f.id, f.kind, f.commit_id, f.staging_token, f.sealed, f.base, f.version, f.epoch, f.hidden, f.created, f.updated, "
    "c.root"
)
_WIDTH = repositories.WIDTH + 12
_TOKEN = repositories.WIDTH + 3
"""Where in a row the staging token is."""
_FIND = (
    f"select {repositories.COLUMNS}, {_COLUMNS}%s from repositories r "
    "left join refs f on f.repository = r.id and f.name = ? "
    "left join commits c on c.repository = r.id and c.id = f.commit_id %s"
    "where r.name = ? and r.state <> 'creating'"
)
_FIND_ONLY = _FIND % ("", "")
_FIND_ROW = _FIND % (", s.value", "left join staged s on s.token = f.staging_token and s.path = ? ")
_STAGED = "select value from staged where token = ? and path = ?"
_FIND_PAGE = (
    _FIND % (", s.path, s.value", "left join staged s on s.token = f.staging_token and s.path >= ? and s.path < ? ")
    + " order by s.path limit ?"
)
PATH_END = b"\xff" * 8
"""Greater than every path, which is UTF-8."""


class Found(msgspec.Struct, frozen=True):
    """A repository, and the branch or the tag's commit that a name in it stands for (both None: no such name)."""

    repository: Repository
    branch: Branch | None = None
    tag: CommitId | None = None
    tag_root: MetaRangeId | None = None


@lru_cache(maxsize=1024)
def _found(row: Row, name: str) -> Found:
    """What the columns of `_FIND` say: nearly every request comes to the same few rows."""
    repository = repositories.from_row(row)
    identifier, kind, commit_id, token, sealed, base, version, epoch, hidden, created, updated, root = row[
        repositories.WIDTH : _WIDTH
    ]
    if identifier is None:
        return Found(repository)
    if kind == RefKind.TAG:
        return Found(repository, tag=CommitId(commit_id), tag_root=MetaRangeId(root or ""))
    return Found(
        repository,
        branch=Branch(
            id=BranchId(identifier),
            name=BranchName(name),
            commit_id=CommitId(commit_id),
            root=MetaRangeId(root or ""),
            staging_token=StagingToken(token),
            version=version,
            epoch=epoch,
            sealed=tokens_of(sealed) if sealed else (),
            base=base,
            hidden=bool(hidden),
            created=created,
            updated=updated,
        ),
    )


def tokens_of(text: str) -> tuple[StagingToken, ...]:
    """The sealed tokens of a branch row, newest first."""
    return tuple(StagingToken(int(token)) for token in text.split(",") if token)


def text_of(tokens: Sequence[StagingToken]) -> str:
    """The inverse of `tokens_of`."""
    return "".join(f"{token}," for token in tokens)


async def find(db: Database, repository: str, name: str) -> Found:
    """What `name` is in `repository`. Raises RepositoryNotFound."""
    row = await db.one(_FIND_ONLY, (name, repository))
    if row is None:
        raise RepositoryNotFound
    return _found(row, name)


async def find_with_row(db: Database, repository: str, name: str, path: bytes) -> tuple[Found, bytes | None]:
    """As `find`, with what the current staging area holds at `path` (None: nothing), in one statement."""
    row = await db.one_of_both(
        _FIND_ROW,
        (name, path, repository),
        seldom=(_FIND_ONLY, (name, repository)),
        often=lambda row: (_STAGED, (row[_TOKEN], path)),
    )
    if row is None:
        raise RepositoryNotFound
    return _found(row[:_WIDTH], name), row[_WIDTH]


async def find_with_page(
    db: Database, repository: str, name: str, *, start: bytes, end: bytes | None, limit: int
) -> tuple[Found, list[tuple[bytes, bytes]]]:
    """As `find`, with the first rows of the current staging area in [start, end), in one statement."""
    rows = await db.all(_FIND_PAGE, (name, start, PATH_END if end is None else end, repository, limit))
    if not rows:
        raise RepositoryNotFound
    staged = [(row[_WIDTH], row[_WIDTH + 1]) for row in rows if row[_WIDTH] is not None]
    return _found(rows[0][:_WIDTH], name), staged


async def page(
    db: Database, repository: RepositoryId, kind: RefKind, *, prefix: str, after: str, hidden: bool, limit: int
) -> list[Ref]:
    """Branches or tags in order of name, after `after`; hidden branches only when `hidden`."""
    rows = await db.all(
        f"select name, commit_id from refs where repository = ? and name {'>=' if prefix > after else '>'} ? "
        "and name < ? and kind = ? and hidden <= ? order by name limit ?",
        (repository, max(prefix, after), prefix + repositories.TOP, kind, int(hidden), limit),
    )
    return [Ref(name=name, commit_id=CommitId(commit_id), kind=kind) for name, commit_id in rows]


def insert_branch(
    repository: RepositoryId,
    name: BranchName,
    *,
    commit_id: CommitId,
    token: StagingToken,
    hidden: bool,
    now: int,
) -> Statement:
    """Raises BranchExists, also when a tag has the name."""
    return Statement(
        "insert into refs(repository, name, kind, commit_id, staging_token, sealed, version, epoch, hidden, created, "
        "updated) select r.id, ?, 0, ?, ?, '', 1, 1, ?, ?, ? from repositories r where r.id = ? and r.state = 'active' "
        "on conflict(repository, name) do nothing",
        (name, commit_id, token, int(hidden), now, now, repository),
        rows=1,
        otherwise=BranchExists(),
        locks=shared(Scope.REPOSITORY, repository),
    )


def insert_tag(repository: RepositoryId, name: str, *, commit_id: CommitId, now: int) -> Statement:
    """Raises TagExists, also when a branch has the name."""
    return Statement(
        "insert into refs(repository, name, kind, commit_id, sealed, version, epoch, hidden, created, updated) "
        "select r.id, ?, 1, ?, '', 1, 1, 0, ?, ? from repositories r where r.id = ? and r.state = 'active' "
        "on conflict(repository, name) do nothing",
        (name, commit_id, now, now, repository),
        rows=1,
        otherwise=TagExists(),
        locks=shared(Scope.REPOSITORY, repository),
    )


def delete_branch(branch: Branch) -> Statement:
    """Remove a branch as it was seen. Raises LostRace when it changed."""
    return Statement(
        "delete from refs where id = ? and version = ?",
        (branch.id, branch.version),
        rows=1,
        otherwise=LostRace(),
        locks=exclusive(Scope.BRANCH, branch.id),
    )


def delete_emptied(branch: Branch) -> list[Statement]:
    """Remove a branch, with its reflog, that showed no object when it was seen. Raises LostRace when it changed, or an
    object was staged.
    """
    return [
        Statement(
            "delete from refs where id = ? and version = ? and not exists "
            "(select 1 from staged s where s.token = refs.staging_token and length(s.value) > 0)",
            (branch.id, branch.version),
            rows=1,
            otherwise=LostRace(),
            locks=exclusive(Scope.BRANCH, branch.id),
        ),
        Statement("delete from reflog where branch = ?", (branch.id,)),
    ]


async def some(db: Database, repository: RepositoryId) -> tuple[list[tuple[BranchId, int]], list[StagingToken]]:
    """Up to 500 branches and tags of a repository as (id, version), and every staging token that these name."""
    rows = await db.all(
        "select id, version, staging_token, sealed from refs where repository = ? limit 500", (repository,)
    )
    tokens = [token for row in rows if row[2] for token in (StagingToken(row[2]), *tokens_of(row[3]))]
    return [(BranchId(row[0]), row[1]) for row in rows], tokens


def forget_some(found: Sequence[tuple[BranchId, int]]) -> list[Statement]:
    """Remove branches and tags, as they were seen, with their reflogs. Raises LostRace when one of them changed."""
    return [
        Statement(
            "delete from refs where id = ? and version = ?",
            many=tuple(found),
            rows=len(found),
            otherwise=LostRace(),
            locks=tuple(lock for branch, _ in found for lock in exclusive(Scope.BRANCH, branch)),
        ),
        Statement("delete from reflog where branch = ?", many=tuple((branch,) for branch, _ in found)),
    ]


def delete_tag(repository: RepositoryId, name: str) -> Statement:
    """Raises TagNotFound."""
    return Statement(
        "delete from refs where repository = ? and name = ? and kind = 1",
        (repository, name),
        rows=1,
        otherwise=TagNotFound(),
    )


def seal(branch: BranchId, token: StagingToken) -> Statement:
    """Put the current staging area in front of the sealed ones and `token` in its place, unless it is empty.

    Returns the sealed tokens as text when it was sealed, else nothing.
    """
    return Statement(
        "update refs set sealed = staging_token || ',' || sealed, staging_token = ?, version = version + 1 "
        "where id = ? and exists (select 1 from staged s where s.token = refs.staging_token) returning sealed",
        (token, branch),
        locks=exclusive(Scope.BRANCH, branch),
    )


def move_head(
    branch: Branch,
    *,
    head: CommitId,
    taken: Sequence[StagingToken],
    leaves_staging: bool,
    now: int,
    base: MetaRangeId | None = None,
) -> Statement:
    """Set the head and the base, and let go of the sealed tokens `taken`, which must be the oldest of the branch.

    Guarded by the head and base as `branch` has them. The epoch grows when staged data leaves with it.
    Raises LostRace.
    """
    suffix = text_of(taken)
    return Statement(
        "update refs set commit_id = ?, base = ?, version = version + 1, epoch = epoch + ?, "
        "sealed = substr(sealed, 1, length(sealed) - cast(? as integer)), updated = ? "
        "where id = ? and commit_id = ? and coalesce(base, '-') = ? and ',' || sealed like ?",
        (
            head,
            base,
            int(leaves_staging),
            len(suffix),
            now,
            branch.id,
            branch.commit_id,
            _seen(branch.base),
            "%," + suffix,
        ),
        rows=1,
        otherwise=LostRace(),
        locks=exclusive(Scope.BRANCH, branch.id),
    )


def set_base(branch: Branch, base: MetaRangeId | None, *, taken: Sequence[StagingToken]) -> Statement:
    """Put a tree in the place of base and sealed tokens `taken`, which must be the oldest of the branch.

    Guarded by the head and base as `branch` has them. The epoch stays: nothing leaves the branch. Raises LostRace.
    """
    suffix = text_of(taken)
    return Statement(
        "update refs set base = ?, version = version + 1, "
        "sealed = substr(sealed, 1, length(sealed) - cast(? as integer)) "
        "where id = ? and commit_id = ? and coalesce(base, '-') = ? and ',' || sealed like ?",
        (base, len(suffix), branch.id, branch.commit_id, _seen(branch.base), "%," + suffix),
        rows=1,
        otherwise=LostRace(),
        locks=exclusive(Scope.BRANCH, branch.id),
    )


def _seen(base: MetaRangeId | None) -> str:
    """What a guard compares: the base may be the empty tree, whose id is the empty text."""
    return "-" if base is None else base


def replace_sealed(branch: Branch, *, taken: Sequence[StagingToken], by: StagingToken) -> Statement:
    """Put one sealed area in place of `taken`, which must be the oldest of the branch. Raises LostRace."""
    suffix = text_of(taken)
    return Statement(
        "update refs set sealed = substr(sealed, 1, length(sealed) - cast(? as integer)) || ?, version = version + 1 "
        "where id = ? and ',' || sealed like ?",
        (len(suffix), text_of((by,)), branch.id, "%," + suffix),
        rows=1,
        otherwise=LostRace(),
        locks=exclusive(Scope.BRANCH, branch.id),
    )


def require_version(branch: Branch) -> Statement:
    """Change nothing; raises LostRace when the branch changed since it was seen."""
    return Statement(
        "select 1 from refs where id = ? and version = ?",
        (branch.id, branch.version),
        rows=1,
        otherwise=LostRace(),
        locks=shared(Scope.BRANCH, branch.id),
    )


def drop_staging(branch: Branch, token: StagingToken, *, now: int) -> Statement:
    """Forget everything staged on a branch as it was seen; `token` takes the writes from now on. Raises LostRace."""
    return Statement(
        "update refs set staging_token = ?, sealed = '', base = null, version = version + 1, epoch = epoch + 1, "
        "updated = ? where id = ? and version = ?",
        (token, now, branch.id, branch.version),
        rows=1,
        otherwise=LostRace(),
        locks=exclusive(Scope.BRANCH, branch.id),
    )


async def version(db: Database, branch: BranchId) -> int:
    """The branch's version now. Raises BranchNotFound."""
    row = await db.one("select version from refs where id = ?", (branch,))
    if row is None:
        raise BranchNotFound
    return int(row[0])


async def was_moved(db: Database, branch: BranchId, *, old: CommitId, new: CommitId) -> bool:
    """Whether the branch's head went from `old` to `new` at some time."""
    sql = "select 1 from reflog where branch = ? and old = ? and new = ? limit 1"
    return await db.one(sql, (branch, old, new)) is not None


def log(
    branch: BranchId, *, old: CommitId, new: CommitId, operation: str, actor: str, request: str, now: int
) -> Statement:
    """A line of the branch's reflog; its sequence number is the next one."""
    return Statement(
        "insert into reflog(branch, seq, at, old, new, operation, actor, request_id) "
        "select ?, coalesce(max(seq), 0) + 1, ?, ?, ?, ?, ?, ? from reflog where branch = ?",
        (branch, now, old, new, operation, actor, request, branch),
    )


def log_by_name(
    repository: RepositoryId, name: BranchName, *, new: CommitId, operation: str, actor: str, request: str, now: int
) -> Statement:
    """The first line of a reflog, in the transaction that makes the branch."""
    return Statement(
        "insert into reflog(branch, seq, at, old, new, operation, actor, request_id) "
        "select id, 1, ?, '', ?, ?, ?, ? from refs where repository = ? and name = ?",
        (now, new, operation, actor, request, repository, name),
    )

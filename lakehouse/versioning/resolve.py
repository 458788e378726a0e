# SPDX-License-Identifier: Apache-2.0
"""From ref expressions to commits and branches.

The base of an expression is, in this order: a whole commit id, a branch, a tag, the beginning of exactly one commit id.
A moment (`main@{yesterday}`) is looked up in the branch's reflog.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import (
    BranchNotFound,
    CommitExpired,
    CommitNotFound,
    InvalidRef,
    NotFound,
    RepositoryNotFound,
    StagingIsNotCommit,
)
from lakehouse.core.ids import CommitId, MetaRangeId, is_commit_id, is_commit_prefix
from lakehouse.core.records import Branch, Commit, Repository
from lakehouse.core.refs import RefExpression, Step, Suffix, parse_ref
from lakehouse.meta import commits, reflog, refs, repositories
from lakehouse.versioning.protection import require_active

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.versioning.lake import Lake

_BREATH = 256
"""Commits after which others may run."""


class Resolved(msgspec.Struct, frozen=True):
    """What a ref stands for: a tree, and the branch whose staged rows lie over it when these are meant too."""

    repository: Repository
    commit_id: CommitId
    root: MetaRangeId
    staging: Branch | None = None
    named: bool = False
    """Whether it is what a branch or a tag names now: that never expires."""


async def repository(lake: Lake, name: str) -> Repository:
    """The repository. Raises RepositoryNotFound, RepositoryInDeletion."""
    found = await repositories.find(lake.db, name)
    if found is None:
        raise RepositoryNotFound
    require_active(found)
    return found


async def branch(lake: Lake, repository_name: str, name: str) -> tuple[Repository, Branch]:
    """A branch by its plain name. Raises RepositoryNotFound, BranchNotFound."""
    found = await refs.find(lake.db, repository_name, name)
    require_active(found.repository)
    if found.branch is None:
        raise BranchNotFound(f"branch '{name}' not found: branch not found")
    return found.repository, found.branch


async def ref(lake: Lake, repository_name: str, text: str) -> Resolved:
    """What an expression shows: staged rows count for a plain branch and for `branch$`.

    Raises RepositoryNotFound, InvalidRef, NotFound, CommitExpired.
    """
    found = await _ref(lake, repository_name, text)
    if not found.named and await commits.is_expired(lake.db, found.repository.id, found.commit_id):
        raise CommitExpired
    return found


async def _ref(lake: Lake, repository_name: str, text: str) -> Resolved:
    expression = parse_ref(text)
    found = await _base(lake, repository_name, expression)
    if isinstance(found, Resolved):
        if expression.suffix is not Suffix.NONE and found.staging is None:
            raise InvalidRef(f"{text}: only a branch can have '{expression.suffix}': invalid ref")
        if expression.moment is not None:
            return await _back_then(lake, found, text, expression)
        if expression.suffix is Suffix.HEAD:
            return msgspec.structs.replace(found, staging=None)
        if not expression.steps:
            return found
        start = await _commit(lake, found.repository, found.commit_id)
    else:
        raise NotFound(f"ref {text}: not found")
    commit = await _walk(lake, found.repository, start, expression.steps)
    return Resolved(found.repository, commit.id, commit.root)


async def _back_then(lake: Lake, found: Resolved, text: str, expression: RefExpression) -> Resolved:
    branch, moment = found.staging, expression.moment
    if branch is None or moment is None:
        raise InvalidRef(f"{text}: only a branch has a past: invalid ref: invalid value: validation error")
    if moment.moves is not None:
        then = await reflog.moves_ago(lake.db, branch.id, moment.moves)
    else:
        then = await reflog.head_at(
            lake.db, branch.id, lake.now - (moment.ago or 0) if moment.time is None else moment.time
        )
    if then is None:
        raise NotFound(f"ref {text}: the branch's past does not reach back to then: not found")
    commit = await _walk(lake, found.repository, await _commit(lake, found.repository, then), expression.steps)
    return Resolved(found.repository, commit.id, commit.root)


async def commit(lake: Lake, repository_name: str, text: str) -> tuple[Repository, Commit]:
    """The commit that an expression names, to read it or to start from it; of a plain branch its head.

    Raises RepositoryNotFound, InvalidRef, StagingIsNotCommit, NotFound, CommitExpired.
    """
    _require_no_staging(text)
    resolved = await ref(lake, repository_name, text)
    return resolved.repository, await _commit(lake, resolved.repository, resolved.commit_id)


async def commit_record(lake: Lake, repository_name: str, text: str) -> tuple[Repository, Commit]:
    """As `commit`, also of a commit whose objects may be gone."""
    _require_no_staging(text)
    resolved = await _ref(lake, repository_name, text)
    return resolved.repository, await _commit(lake, resolved.repository, resolved.commit_id)


def _require_no_staging(text: str) -> None:
    if parse_ref(text).suffix is Suffix.STAGING:
        raise StagingIsNotCommit


async def get_commit(lake: Lake, repository: Repository, commit_id: CommitId) -> Commit:
    """A commit by its whole id. Raises CommitNotFound."""
    return await _commit(lake, repository, commit_id)


async def get_commits(lake: Lake, repository: Repository, ids: Sequence[CommitId]) -> dict[CommitId, Commit]:
    """All of these commits, by their whole ids. Raises CommitNotFound: the repository may be in deletion by now."""
    found = await commits.find_many(lake.db, repository.id, ids)
    if any(one not in found for one in ids):
        raise CommitNotFound
    return found


async def _base(lake: Lake, repository_name: str, expression: RefExpression) -> Resolved | None:
    base = expression.base
    found = await refs.find(lake.db, repository_name, base)
    repo = found.repository
    require_active(repo)
    if is_commit_id(base) and (exact := await commits.find(lake.db, repo.id, base)) is not None:
        return Resolved(repo, exact.id, exact.root)
    if found.branch is not None:
        return Resolved(repo, found.branch.commit_id, found.branch.root, staging=found.branch, named=True)
    if found.tag is not None:
        return Resolved(repo, found.tag, found.tag_root or MetaRangeId(""), named=True)
    if is_commit_prefix(base):
        matches = await commits.find_by_prefix(lake.db, repo.id, base)
        if len(matches) == 1:
            return Resolved(repo, matches[0].id, matches[0].root)
    return None


async def _commit(lake: Lake, repo: Repository, commit_id: CommitId) -> Commit:
    found = lake.commits.get(repo.id, commit_id)
    if found is None:
        found = await commits.find(lake.db, repo.id, commit_id)
        if found is None:
            raise CommitNotFound
        lake.commits.put(repo.id, found)
    return found


async def _walk(lake: Lake, repo: Repository, start: Commit, steps: tuple[Step, ...]) -> Commit:
    commit = start
    for step in steps:
        if step.kind == "~":
            for number in range(step.count):
                if not commit.parents:
                    raise CommitNotFound
                if number % _BREATH == _BREATH - 1:
                    await asyncio.sleep(0)
                commit = await _commit(lake, repo, commit.parents[0])
        elif step.count:
            if step.count > len(commit.parents):
                raise InvalidRef
            commit = await _commit(lake, repo, commit.parents[step.count - 1])
    return commit

# SPDX-License-Identifier: Apache-2.0
"""Revert and cherry-pick: one commit's change, backwards or forwards, merged onto a branch's head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import (
    CommitExpired,
    MergeConflict,
    NoChanges,
    NoSuchParent,
    ParentRequired,
    RevertParentRequired,
)
from lakehouse.core.ids import EMPTY_TREE
from lakehouse.meta import commits
from lakehouse.tree.merge import Trees, merge_changes
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.change_list import ChangeList
from lakehouse.versioning.commits.commit import make
from lakehouse.versioning.commits.train import on_clean_branch
from lakehouse.versioning.commits.watched import CHERRY_PICK, REVERT, Watched
from lakehouse.versioning.protection import require_not_read_only

if TYPE_CHECKING:
    from lakehouse.core.ids import MetaRangeId
    from lakehouse.core.records import Commit, Repository
    from lakehouse.versioning.commits.train import Ground
    from lakehouse.versioning.lake import Actor, Lake


class Overrides(msgspec.Struct, frozen=True):
    """What the new commit says instead of what it would."""

    message: str | None = None
    metadata: dict[str, str] | None = None


async def revert_branch(
    lake: Lake,
    repository: str,
    branch: str,
    *,
    ref: str,
    parent_number: int,
    actor: Actor,
    overrides: Overrides | None = None,
    allow_empty: bool = False,
    force: bool = False,
) -> Commit:
    """Undo what the commit of `ref` changed against a parent (1-based; 0 for a commit that has one).

    Raises NotFound, RevertParentRequired, NoSuchParent, DirtyBranch, MergeConflict, NoChanges, ReadOnlyRepository,
    HookFailed, InvalidAction.
    """
    repo, commit = await resolve.commit(lake, repository, ref)
    require_not_read_only(repo, force=force)
    if len(commit.parents) > 1 and parent_number == 0:
        raise RevertParentRequired
    if parent_number < 0 or parent_number > len(commit.parents):
        raise NoSuchParent
    before = await _parent_tree(lake, repo, commit, max(parent_number, 1))
    if commit.parents and await commits.is_expired(lake.db, repo.id, commit.parents[max(parent_number, 1) - 1]):
        raise CommitExpired(f"what {ref} is to go back to is older than retention keeps: resource expired")
    wanted = overrides or Overrides()
    brought = ChangeList(lake.tree(repo))

    async def build(ground: Ground) -> tuple[Commit, bytes | None]:
        return await _merged(
            lake,
            ground,
            brought,
            base=commit.root,
            theirs=before,
            committer=actor.committer,
            message=f"Revert {ref}" if wanted.message is None else wanted.message,
            metadata=wanted.metadata or {},
            allow_empty=allow_empty,
        )

    watched = Watched(lake, repo, branch, moments=REVERT, actor=actor)
    return await on_clean_branch(lake, repository, branch, build, operation="revert", actor=actor, watched=watched)


async def cherry_pick(
    lake: Lake,
    repository: str,
    branch: str,
    *,
    ref: str,
    parent_number: int | None,
    actor: Actor,
    overrides: Overrides | None = None,
    force: bool = False,
) -> Commit:
    """Repeat what the commit of `ref` changed against a parent (1-based; needed for a merge commit).

    Raises NotFound, ParentRequired, NoSuchParent, DirtyBranch, MergeConflict, NoChanges, ReadOnlyRepository,
    HookFailed, InvalidAction.
    """
    repo, commit = await resolve.commit(lake, repository, ref)
    require_not_read_only(repo, force=force)
    if parent_number is None and len(commit.parents) > 1:
        raise ParentRequired
    if parent_number is not None and not 1 <= parent_number <= len(commit.parents):
        raise NoSuchParent
    before = await _parent_tree(lake, repo, commit, parent_number or 1)
    wanted = overrides or Overrides()
    brought = ChangeList(lake.tree(repo))
    origin = {"cherry-pick-origin": commit.id, "cherry-pick-committer": commit.committer}

    async def build(ground: Ground) -> tuple[Commit, bytes | None]:
        return await _merged(
            lake,
            ground,
            brought,
            base=before,
            theirs=commit.root,
            committer=actor.committer,
            message=commit.message if wanted.message is None else wanted.message,
            metadata=(commit.metadata if wanted.metadata is None else wanted.metadata) | origin,
            allow_empty=False,
        )

    watched = Watched(lake, repo, branch, moments=CHERRY_PICK, actor=actor)
    return await on_clean_branch(lake, repository, branch, build, operation="cherry_pick", actor=actor, watched=watched)


async def _parent_tree(lake: Lake, repository: Repository, commit: Commit, number: int) -> MetaRangeId:
    if not commit.parents:
        return EMPTY_TREE
    return (await resolve.get_commit(lake, repository, commit.parents[number - 1])).root


async def _merged(
    lake: Lake,
    ground: Ground,
    brought: ChangeList,
    *,
    base: MetaRangeId,
    theirs: MetaRangeId,
    committer: str,
    message: str,
    metadata: dict[str, str],
    allow_empty: bool,
) -> tuple[Commit, bytes | None]:
    merged = await merge_changes(ground.tree, brought.pages(base, theirs), Trees(base, ground.head.root, theirs))
    if merged.root is None:
        raise MergeConflict
    if not merged.changed and not allow_empty:
        raise NoChanges
    made = make(
        parents=(ground.head,),
        root=merged.root,
        committer=committer,
        message=message,
        created=lake.now,
        metadata=metadata,
    )
    return made, merged.paths

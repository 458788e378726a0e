# SPDX-License-Identifier: Apache-2.0
"""Merge: bring what a ref changed since it parted into a branch.

Decisions are by identity, per path: a path that only one side changed is taken from that side; one that both changed
in the same way keeps the destination's entry; else it is a conflict, which a strategy may settle. A merge that lost a
race against another mover of the branch runs again on the new head.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import (
    CommitExpired,
    InvalidMergeStrategy,
    MergeConflict,
    NoChanges,
    NoMergeBase,
)
from lakehouse.core.ids import parse_branch_name
from lakehouse.core.records import Commit
from lakehouse.meta import commits
from lakehouse.tree.merge import Merged, Side, Trees, merge_changes
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.ancestry import merge_base
from lakehouse.versioning.commits.change_list import ChangeList
from lakehouse.versioning.commits.choices import Choices, Settled
from lakehouse.versioning.commits.commit import make
from lakehouse.versioning.commits.train import on_clean_branch
from lakehouse.versioning.commits.watched import MERGE, Watched
from lakehouse.versioning.protection import require_not_read_only

if TYPE_CHECKING:
    from lakehouse.versioning.commits.commit import Note
    from lakehouse.versioning.commits.train import Ground
    from lakehouse.versioning.lake import Actor, Lake

STRATEGY_KEY = ".lakefs.merge.strategy"


class Strategy(StrEnum):
    """What happens to conflicts: an error, or one side wins."""

    DEFAULT = "default"
    DEST_WINS = "dest-wins"
    SOURCE_WINS = "source-wins"


_PREFER = {Strategy.DEFAULT: None, Strategy.DEST_WINS: Side.OURS, Strategy.SOURCE_WINS: Side.THEIRS}


class MergeOutcome(msgspec.Struct, frozen=True):
    """The merge commit, and how many paths of the destination it added, removed and changed."""

    commit: Commit
    added: int
    removed: int
    changed: int


class MergeRequest(msgspec.Struct, frozen=True):
    """How to merge, and what the merge commit shall say. `choices` come before `strategy`."""

    message: str = ""
    metadata: dict[str, str] = {}
    strategy: str = ""
    force: bool = False
    allow_empty: bool = False
    squash: bool = False
    choices: Choices = Choices()


def parse_strategy(text: str) -> Strategy:
    """Raises InvalidMergeStrategy."""
    try:
        return Strategy(text or "default")
    except ValueError as error:
        raise InvalidMergeStrategy(f"{text}: invalid merge strategy (use dest-wins or source-wins)") from error


async def merge_into_branch(
    lake: Lake,
    repository: str,
    source: str,
    destination: str,
    request: MergeRequest,
    actor: Actor,
    *,
    note: Note | None = None,
) -> MergeOutcome:
    """Merge the commit of `source` into a branch; there is always a merge commit, never a fast-forward.

    `note`: what else is stored in the transaction of the merge commit.
    Raises InvalidMergeStrategy, NotFound, DirtyBranch, NoChanges, MergeConflict, ReadOnlyRepository, NotInConflict,
    HookFailed, InvalidAction.
    """
    strategy = parse_strategy(request.strategy)
    parse_branch_name(destination, argument="destination branch")
    repo, theirs = await resolve.commit(lake, repository, source)
    require_not_read_only(repo, force=request.force)

    brought = ChangeList(lake.tree(repo))
    merged: Merged

    async def build(ground: Ground) -> tuple[Commit, bytes | None]:
        nonlocal merged
        ours = ground.head
        base = await merge_base(lake, repo, ours, theirs, known=ground.known)
        if base is None:
            raise NoMergeBase
        if request.choices.may_take_base and await commits.is_expired(lake.db, repo.id, base.id):
            raise CommitExpired("what both sides had before is older than retention keeps: resource expired")
        settled = Settled(request.choices, otherwise=_PREFER[strategy])
        trees = Trees(base.root, ours.root, theirs.root)
        changes = brought.pages(trees.base, trees.theirs)
        merged = await merge_changes(ground.tree, changes, trees, settle=settled.side)
        if not (merged.source_changed or request.allow_empty or request.force):
            raise NoChanges(f"merge {source} into {destination}: no changes")
        if merged.root is None:
            raise MergeConflict
        settled.require_all_used()
        made = make(
            parents=(ours,) if request.squash else (ours, theirs),
            root=merged.root,
            committer=actor.committer,
            message=request.message or f"Merge '{source}' into '{destination}'",
            created=lake.now,
            metadata=request.metadata | {STRATEGY_KEY: strategy.value},
        )
        if request.squash:
            made = made_above(made, theirs)
        return made, merged.paths

    watched = Watched(lake, repo, destination, moments=MERGE, actor=actor, merged=(theirs, source))
    commit = await on_clean_branch(
        lake, repository, destination, build, operation="merge", actor=actor, note=note, watched=watched
    )
    return MergeOutcome(commit, merged.added, merged.removed, merged.changed - merged.added - merged.removed)


def made_above(made: Commit, other: Commit) -> Commit:
    """The commit with a generation above that of a commit which is not its parent; its id does not depend on it."""
    return msgspec.structs.replace(made, generation=max(made.generation, other.generation + 1))


async def find_merge_base(lake: Lake, repository: str, source: str, destination: str) -> tuple[Commit, Commit, Commit]:
    """The commits of source and destination, and where they parted. Raises NotFound, NoMergeBase."""
    repo, left = await resolve.commit(lake, repository, source)
    _, right = await resolve.commit(lake, repository, destination)
    base = await merge_base(lake, repo, left, right)
    if base is None:
        raise NoMergeBase
    return left, right, base

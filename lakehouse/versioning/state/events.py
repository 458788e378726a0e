# SPDX-License-Identifier: Apache-2.0
"""What happens in a repository, told to whoever has to agree beforehand or wants to know afterwards.

The engine calls through this port and knows nothing of what stands behind it. Invariant: for one operation, what
agreed once is not asked again, however often the operation is tried; and a refusal changes nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from lakehouse.core.ids import EMPTY_TREE, MetaRangeId, StagingToken
from lakehouse.core.records import NOBODY, Actor
from lakehouse.tree.store import NodeStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.records import Commit, Repository
    from lakehouse.db.statement import Statement


class Event(StrEnum):
    """Moments of an operation, by the names that hook files use."""

    PREPARE_COMMIT = "prepare-commit"
    PRE_COMMIT = "pre-commit"
    POST_COMMIT = "post-commit"
    PRE_MERGE = "pre-merge"
    POST_MERGE = "post-merge"
    PRE_CREATE_BRANCH = "pre-create-branch"
    POST_CREATE_BRANCH = "post-create-branch"
    PRE_DELETE_BRANCH = "pre-delete-branch"
    POST_DELETE_BRANCH = "post-delete-branch"
    PRE_CREATE_TAG = "pre-create-tag"
    POST_CREATE_TAG = "post-create-tag"
    PRE_DELETE_TAG = "pre-delete-tag"
    POST_DELETE_TAG = "post-delete-tag"
    PRE_REVERT = "pre-revert"
    POST_REVERT = "post-revert"
    PRE_CHERRY_PICK = "pre-cherry-pick"
    POST_CHERRY_PICK = "post-cherry-pick"


class Occasion(msgspec.Struct, frozen=True):
    """An event and its circumstances. `branch` is the branch that changes, `source_ref` where it comes from.

    `commit_id` is "" as long as there is none; message, committer and metadata are those of the commit that is made.
    """

    event: Event
    branch: str = ""
    source_ref: str = ""
    tag: str = ""
    merge_source: str = ""
    commit_id: str = ""
    message: str = ""
    committer: str = ""
    metadata: dict[str, str] = {}


class Shown(msgspec.Struct, frozen=True):
    """What the hook files of an occasion are read from: staged rows, the newest token first, over a tree.

    `tree`: where its nodes are read, when they are not stored yet.
    """

    root: MetaRangeId = EMPTY_TREE
    tokens: tuple[StagingToken, ...] = ()
    tree: NodeStore | None = None


class Watch(Protocol):
    """Who watches one operation."""

    async def present(self, shown: Shown) -> bool:
        """Whether there are any hook files: what is asked of them may take long."""
        ...

    async def before(self, occasion: Occasion, shown: Shown) -> bool:
        """Ask whether the operation may go on; what agreed to this event before is not asked again.

        Returns whether there are any hook files, for this event or others. Raises HookFailed, InvalidAction, and what
        reading the files raises.
        """
        ...

    def note(self, made: Commit) -> Sequence[Statement]:
        """What to store in the transaction of the commit that was agreed to."""
        ...

    def after(self, occasion: Occasion, shown: Shown, *, present: bool = True) -> None:
        """Tell, beside the requests, that the operation was carried out. `present` False: the caller knows that the
        tree that is shown has no hook files, because what it was made of has none.
        """
        ...


class Hooks(Protocol):
    """Who watches the operations of a lake."""

    def watch(self, repository: Repository, actor: Actor = NOBODY) -> Watch:
        """For one operation that `actor` is about to begin."""
        ...


class NoWatch:
    """Agrees to everything."""

    async def present(self, shown: Shown) -> bool:
        """As Watch."""
        return False

    async def before(self, occasion: Occasion, shown: Shown) -> bool:
        """As Watch."""
        return False

    def note(self, made: Commit) -> Sequence[Statement]:
        """As Watch."""
        return ()

    def after(self, occasion: Occasion, shown: Shown, *, present: bool = True) -> None:
        """As Watch."""


class NoHooks:
    """Nobody watches."""

    def watch(self, repository: Repository, actor: Actor = NOBODY) -> Watch:
        """As Hooks."""
        return NoWatch()


def before_commit(event: Event, branch: str, made: Commit) -> Occasion:
    """A commit without an id yet, on a branch."""
    return Occasion(
        event,
        branch=branch,
        source_ref=branch,
        message=made.message,
        committer=made.committer,
        metadata=made.metadata,
    )


def after_commit(event: Event, branch: str, made: Commit) -> Occasion:
    """A commit that is the head of a branch."""
    return msgspec.structs.replace(before_commit(event, branch, made), source_ref=made.id, commit_id=made.id)

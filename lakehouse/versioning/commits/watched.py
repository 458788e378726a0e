# SPDX-License-Identifier: Apache-2.0
"""A commit that goes onto a clean branch, and what is asked and told about it: merges, reverts, picks, imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.records import NOBODY
from lakehouse.meta import commits
from lakehouse.versioning.state.events import Event, Shown, after_commit, before_commit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.ids import MetaRangeId
    from lakehouse.core.records import Actor, Branch, Commit, Repository
    from lakehouse.db.statement import Statement
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.held_nodes import HeldNodes


class Moments(msgspec.Struct, frozen=True):
    """What comes before and after a commit of a kind."""

    pre: Event
    post: Event


COMMIT = Moments(Event.PRE_COMMIT, Event.POST_COMMIT)
MERGE = Moments(Event.PRE_MERGE, Event.POST_MERGE)
REVERT = Moments(Event.PRE_REVERT, Event.POST_REVERT)
CHERRY_PICK = Moments(Event.PRE_CHERRY_PICK, Event.POST_CHERRY_PICK)


class Watched:
    """A commit that goes onto a clean branch, with who watches it.

    `merged`: of a merge, the commit that is brought in, whose hook files count, and the ref that was asked for. Else
    those of the branch's head do.
    """

    def __init__(
        self,
        lake: Lake,
        repository: Repository,
        branch: str,
        *,
        moments: Moments,
        actor: Actor = NOBODY,
        merged: tuple[Commit, str] | None = None,
    ) -> None:
        self._lake = lake
        self._repository = repository
        self._branch = branch
        self._moments = moments
        self._merged = merged
        self._watch = lake.hooks.watch(repository, actor)
        self._present = True

    async def present(self, branch: Branch) -> bool:
        """Whether there are hook files, as far as can be told beforehand."""
        return await self._watch.present(Shown(self._root(branch.root)))

    async def before(self, made: Commit, paths: bytes | None, *, head: Commit, tree: HeldNodes) -> None:
        """Ask whether a commit on top of `head` may go on. A merge's can be read by then, though no branch has it.

        Raises as Watch.
        """
        shown = Shown(self._root(head.root), tree=tree)
        occasion = before_commit(self._moments.pre, self._branch, made)
        if self._merged is not None:
            commit, ref = self._merged
            occasion = msgspec.structs.replace(occasion, source_ref=commit.id, merge_source=ref, commit_id=made.id)
            if await self._watch.present(shown):
                await tree.flush()
                await self._lake.db.apply(commits.insert(self._repository.id, made, paths))
        present = await self._watch.before(occasion, shown)
        if self._merged is not None:
            self._present = present or await self._watch.present(Shown(head.root, tree=tree))

    def note(self, made: Commit) -> Sequence[Statement]:
        """As Watch."""
        return self._watch.note(made)

    def after(self, made: Commit) -> None:
        """The commit is the branch's."""
        occasion = after_commit(self._moments.post, self._branch, made)
        if self._merged is not None:
            occasion = msgspec.structs.replace(occasion, merge_source=self._merged[1])
        self._watch.after(occasion, Shown(made.root), present=self._present)

    def _root(self, head: MetaRangeId) -> MetaRangeId:
        return head if self._merged is None else self._merged[0].root

# SPDX-License-Identifier: Apache-2.0
"""Branches: create, reset, revert, cherry-pick, uncommitted changes, where the head has been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lakehouse.sdk._async.listing import each
from lakehouse.sdk.requests import given
from lakehouse.wire.branches import (
    CHERRY_PICK,
    CREATE_BRANCH,
    DELETE_BRANCH,
    DIFF_BRANCH,
    GET_BRANCH,
    HARD_RESET_BRANCH,
    LIST_BRANCHES,
    LIST_REFLOG,
    RESET_BRANCH,
    REVERT_BRANCH,
    BranchCreation,
    CherryPickCreation,
    HardResetQuery,
    ListBranchesQuery,
    MoveList,
    Ref,
    RefList,
    ReflogQuery,
    ResetCreation,
    RevertCreation,
)
from lakehouse.wire.commits import Commit
from lakehouse.wire.diffs import DiffList, DiffQuery
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE, ForceQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.sdk._async.transport import Transport
    from lakehouse.wire.branches import Move
    from lakehouse.wire.commits import CommitOverrides
    from lakehouse.wire.diffs import Diff


class Branches:
    """Branches of a repository."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_branches(
        self,
        repository: str,
        *,
        prefix: str = "",
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
        show_hidden: bool = False,
    ) -> RefList:
        """One page of branches, in order of their names."""
        query = ListBranchesQuery(prefix=prefix, after=after, amount=amount, show_hidden=show_hidden)
        return await self._transport.call(LIST_BRANCHES, RefList, {"repository": repository}, query=query)

    def each_branch(self, repository: str, *, prefix: str = "", show_hidden: bool = False) -> AsyncIterator[Ref]:
        """All branches."""

        async def fetch(after: str) -> RefList:
            return await self.list_branches(
                repository, prefix=prefix, after=after, amount=MAX_PER_PAGE, show_hidden=show_hidden
            )

        return each(fetch)

    async def create_branch(
        self, repository: str, name: str, source: str, *, hidden: bool = False, force: bool = False
    ) -> str:
        """Create a branch at the commit of `source`, any ref expression; the id of that commit.

        Raises BranchExists, CommitNotFound.
        """
        body = BranchCreation(name=name, source=source, hidden=hidden, force=force)
        response = await self._transport.send(CREATE_BRANCH, {"repository": repository}, body=body)
        return response.text

    async def get_branch(self, repository: str, branch: str) -> Ref:
        """A branch and its head commit. Raises BranchNotFound."""
        return await self._transport.call(GET_BRANCH, Ref, {"repository": repository, "branch": branch})

    async def delete_branch(self, repository: str, branch: str, *, force: bool = False) -> None:
        """Delete a branch with its uncommitted changes. Raises BranchNotFound, DefaultBranchDeletion."""
        path = {"repository": repository, "branch": branch}
        await self._transport.send(DELETE_BRANCH, path, query=ForceQuery(force=force))

    async def reset_branch(
        self,
        repository: str,
        branch: str,
        *,
        kind: Literal["object", "common_prefix", "reset"] = "reset",
        path: str | None = None,
        force: bool = False,
    ) -> None:
        """Drop uncommitted changes: all (`reset`), of one object, or of all paths that begin with a prefix."""
        body = ResetCreation(type=kind, path=given(path), force=force)
        await self._transport.send(RESET_BRANCH, {"repository": repository, "branch": branch}, body=body)

    async def hard_reset_branch(self, repository: str, branch: str, ref: str, *, force: bool = False) -> None:
        """Move a branch to the commit of `ref`; uncommitted changes stay."""
        path = {"repository": repository, "branch": branch}
        await self._transport.send(HARD_RESET_BRANCH, path, query=HardResetQuery(ref=ref, force=force))

    async def revert_branch(
        self,
        repository: str,
        branch: str,
        ref: str,
        *,
        parent_number: int = 0,
        commit_overrides: CommitOverrides | None = None,
        allow_empty: bool = False,
        force: bool = False,
    ) -> None:
        """Commit the inverse of a commit; `parent_number`, from 1, for merge commits.

        Raises MergeConflict, NoChanges, DirtyBranch, RevertParentRequired.
        """
        body = RevertCreation(
            ref=ref,
            parent_number=parent_number,
            commit_overrides=given(commit_overrides),
            force=force,
            allow_empty=allow_empty,
        )
        await self._transport.send(REVERT_BRANCH, {"repository": repository, "branch": branch}, body=body)

    async def cherry_pick(
        self,
        repository: str,
        branch: str,
        ref: str,
        *,
        parent_number: int | None = None,
        commit_overrides: CommitOverrides | None = None,
        force: bool = False,
    ) -> Commit:
        """Commit the changes of another commit. Raises MergeConflict, NoChanges, DirtyBranch, ParentRequired."""
        body = CherryPickCreation(
            ref=ref, parent_number=given(parent_number), commit_overrides=given(commit_overrides), force=force
        )
        path = {"repository": repository, "branch": branch}
        return await self._transport.call(CHERRY_PICK, Commit, path, body=body)

    async def diff_branch(
        self,
        repository: str,
        branch: str,
        *,
        prefix: str = "",
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
        delimiter: str = "",
    ) -> DiffList:
        """One page of a branch's uncommitted changes."""
        query = DiffQuery(prefix=prefix, after=after, amount=amount, delimiter=delimiter)
        path = {"repository": repository, "branch": branch}
        return await self._transport.call(DIFF_BRANCH, DiffList, path, query=query)

    def each_branch_change(
        self, repository: str, branch: str, *, prefix: str = "", delimiter: str = ""
    ) -> AsyncIterator[Diff]:
        """All uncommitted changes of a branch."""

        async def fetch(after: str) -> DiffList:
            return await self.diff_branch(
                repository, branch, prefix=prefix, after=after, amount=MAX_PER_PAGE, delimiter=delimiter
            )

        return each(fetch)

    async def list_reflog(
        self, repository: str, branch: str, *, after: str = "", amount: int = DEFAULT_AMOUNT
    ) -> MoveList:
        """One page of the moves of a branch's head, newest first."""
        path = {"repository": repository, "branch": branch}
        return await self._transport.call(LIST_REFLOG, MoveList, path, query=ReflogQuery(after=after, amount=amount))

    def each_move(self, repository: str, branch: str) -> AsyncIterator[Move]:
        """All moves of a branch's head, newest first."""

        async def fetch(after: str) -> MoveList:
            return await self.list_reflog(repository, branch, after=after, amount=MAX_PER_PAGE)

        return each(fetch)

# SPDX-License-Identifier: Apache-2.0
"""Branches: create, reset, revert, cherry-pick, uncommitted changes, where the head has been."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.commits import Commit, CommitOverrides
from lakehouse.wire.diffs import DiffList, DiffQuery
from lakehouse.wire.errors import Error
from lakehouse.wire.operation import BRANCH, REPOSITORY, Operation, need
from lakehouse.wire.paging import DEFAULT_AMOUNT, Amount, ForceQuery, PageQuery, Pagination, Required


class Ref(msgspec.Struct, frozen=True):
    """A branch or a tag, and the commit that it names."""

    id: str
    commit_id: str


class RefList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[Ref]


class ListBranchesQuery(PageQuery, frozen=True, kw_only=True, omit_defaults=True):
    show_hidden: bool = False


class BranchCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`source` is any ref expression; the branch begins at its commit."""

    name: str
    source: str
    force: bool = False
    hidden: bool = False


class ResetCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What uncommitted changes to drop: all, those of one object, or those under a string prefix."""

    type: Literal["object", "common_prefix", "reset"]
    path: str | UnsetType = UNSET
    force: bool = False


class HardResetQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    ref: Required
    force: bool = False


class RevertCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`parent_number` is 1-based, 0 for a commit that is no merge."""

    ref: str
    parent_number: int
    commit_overrides: CommitOverrides | UnsetType = UNSET
    force: bool = False
    allow_empty: bool = False


class CherryPickCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`parent_number` is 1-based and needed for merge commits only."""

    ref: str
    parent_number: int | UnsetType = UNSET
    commit_overrides: CommitOverrides | UnsetType = UNSET
    force: bool = False


class ReflogQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Moves before the one with the number `after`."""

    after: str = ""
    amount: Amount = DEFAULT_AMOUNT

    @property
    def limit(self) -> int:
        """How many moves are wanted: 0 and -1 mean the default."""
        return self.amount if self.amount > 0 else DEFAULT_AMOUNT


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One move of a branch's head. `number` counts a branch's moves from 1, `time` is in seconds.

    `old_commit_id` is "" where the branch was made; `request_id` is the X-Request-ID of the request that moved it.
    """

    number: int
    time: int
    old_commit_id: str
    new_commit_id: str
    operation: str
    actor: str
    request_id: str


class MoveList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[Move]


LIST_BRANCHES = Operation(
    name="list_branches",
    id="listBranches",
    method="GET",
    path="/repositories/{repository}/branches",
    tag="branches",
    summary="List branches in order of their names",
    allow=need("fs:ListBranches", REPOSITORY),
    query=ListBranchesQuery,
    result=RefList,
)
CREATE_BRANCH = Operation(
    name="create_branch",
    id="createBranch",
    method="POST",
    path="/repositories/{repository}/branches",
    tag="branches",
    summary="Create a branch; the answer is the id of its commit as plain text",
    allow=need("fs:CreateBranch", "repository/{repository}/branch/{name}"),
    body=BranchCreation,
    result=str,
    status=201,
)
GET_BRANCH = Operation(
    name="get_branch",
    id="getBranch",
    method="GET",
    path="/repositories/{repository}/branches/{branch}",
    tag="branches",
    summary="Get a branch",
    allow=need("fs:ReadBranch", BRANCH),
    result=Ref,
)
DELETE_BRANCH = Operation(
    name="delete_branch",
    id="deleteBranch",
    method="DELETE",
    path="/repositories/{repository}/branches/{branch}",
    tag="branches",
    summary="Delete a branch with its uncommitted changes",
    allow=need("fs:DeleteBranch", BRANCH),
    query=ForceQuery,
    status=204,
)
RESET_BRANCH = Operation(
    name="reset_branch",
    id="resetBranch",
    method="PUT",
    path="/repositories/{repository}/branches/{branch}",
    tag="branches",
    summary="Drop uncommitted changes of a branch",
    allow=need("fs:RevertBranch", BRANCH),
    body=ResetCreation,
    status=204,
)
HARD_RESET_BRANCH = Operation(
    name="hard_reset_branch",
    id="hardResetBranch",
    method="PUT",
    path="/repositories/{repository}/branches/{branch}/hard_reset",
    tag="branches",
    summary="Move a branch to the commit of a ref; uncommitted changes stay",
    allow=need("fs:RevertBranch", BRANCH),
    query=HardResetQuery,
    status=204,
)
REVERT_BRANCH = Operation(
    name="revert_branch",
    id="revertBranch",
    method="POST",
    path="/repositories/{repository}/branches/{branch}/revert",
    tag="branches",
    summary="Commit the inverse of a commit",
    allow=need("fs:RevertBranch", BRANCH),
    body=RevertCreation,
    status=204,
    also={409: Error},
)
CHERRY_PICK = Operation(
    name="cherry_pick",
    id="cherryPick",
    method="POST",
    path="/repositories/{repository}/branches/{branch}/cherry-pick",
    tag="branches",
    summary="Commit the changes of another commit",
    allow=need("fs:CreateCommit", BRANCH) + need("fs:ReadCommit", REPOSITORY),
    body=CherryPickCreation,
    result=Commit,
    status=201,
    also={409: Error},
)
DIFF_BRANCH = Operation(
    name="diff_branch",
    id="diffBranch",
    method="GET",
    path="/repositories/{repository}/branches/{branch}/diff",
    tag="branches",
    summary="List a branch's uncommitted changes",
    allow=need("fs:ListObjects", REPOSITORY),
    query=DiffQuery,
    result=DiffList,
)
LIST_REFLOG = Operation(
    name="list_reflog",
    id="listReflog",
    method="GET",
    path="/repositories/{repository}/branches/{branch}/reflog",
    tag="branches",
    summary="List the moves of a branch's head, newest first",
    allow=need("fs:ReadBranch", BRANCH),
    query=ReflogQuery,
    result=MoveList,
)

OPERATIONS = (
    LIST_BRANCHES,
    CREATE_BRANCH,
    GET_BRANCH,
    DELETE_BRANCH,
    RESET_BRANCH,
    HARD_RESET_BRANCH,
    REVERT_BRANCH,
    CHERRY_PICK,
    DIFF_BRANCH,
    LIST_REFLOG,
)

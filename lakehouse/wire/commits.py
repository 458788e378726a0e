# SPDX-License-Identifier: Apache-2.0
"""Commits: make one, get one, add one that was made elsewhere."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.numbers import Size, Time
from lakehouse.wire.operation import BRANCH, REPOSITORY, Operation, need
from lakehouse.wire.paging import Pagination


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """`creation_date` in seconds; `meta_range_id` is "" for the empty tree."""

    id: str
    parents: list[str]
    committer: str
    message: str
    creation_date: int
    meta_range_id: str
    metadata: dict[str, str] = {}
    generation: int | UnsetType = UNSET
    version: int | UnsetType = UNSET


class CommitList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[Commit]


class CommitCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`date` in seconds stands in place of the server's clock."""

    message: str
    metadata: dict[str, str] = {}
    date: Time | UnsetType = UNSET
    allow_empty: bool = False
    force: bool = False


class CommitRecordCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A commit that was made elsewhere, with its id. Of version 1, the id must be what the fields give."""

    commit_id: str
    version: Annotated[int, msgspec.Meta(ge=0, le=1)]
    committer: str
    message: str
    metarange_id: str
    creation_date: Time
    parents: list[str]
    metadata: dict[str, str] = {}
    generation: Size
    force: bool = False


class CommitOverrides(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to write instead of the message and metadata that a revert or a cherry-pick would."""

    message: str | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET


class CommitQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`source_metarange`: commit this tree; the branch must have no uncommitted changes."""

    source_metarange: str = ""


COMMIT = Operation(
    name="commit",
    id="commit",
    method="POST",
    path="/repositories/{repository}/branches/{branch}/commits",
    tag="commits",
    summary="Commit a branch's uncommitted changes",
    allow=need("fs:CreateCommit", BRANCH),
    query=CommitQuery,
    body=CommitCreation,
    result=Commit,
    status=201,
)
GET_COMMIT = Operation(
    name="get_commit",
    id="getCommit",
    method="GET",
    path="/repositories/{repository}/commits/{commitId}",
    tag="commits",
    summary="Get a commit by any ref expression",
    allow=need("fs:ReadCommit", REPOSITORY),
    result=Commit,
)
CREATE_COMMIT_RECORD = Operation(
    name="create_commit_record",
    id="CreateCommitRecord",
    method="POST",
    path="/repositories/{repository}/commits",
    tag="commits",
    summary="Add a commit that was made elsewhere; no branch moves",
    allow=need("fs:CreateCommit", REPOSITORY),
    body=CommitRecordCreation,
    status=204,
)

OPERATIONS = (COMMIT, GET_COMMIT, CREATE_COMMIT_RECORD)

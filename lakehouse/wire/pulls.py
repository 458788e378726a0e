# SPDX-License-Identifier: Apache-2.0
"""Pull requests."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import DYNAMIC, REPOSITORY, Operation, need
from lakehouse.wire.paging import PageQuery, Pagination
from lakehouse.wire.refs import MergeResult

Status = Literal["open", "closed", "merged"]


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal to merge `source_branch` into `destination_branch`. Lists leave out the merge commit, and what the
    description says, though not the member: clients cannot do without.
    """

    status: Status
    title: str
    description: str = ""
    id: str
    creation_date: datetime
    author: str
    source_branch: str
    destination_branch: str
    merged_commit_id: str | UnsetType = UNSET
    closed_date: datetime | UnsetType = UNSET


class PullRequestsList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[PullRequest]


class PullRequestCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    title: str
    description: str = ""
    source_branch: str
    destination_branch: str


class PullRequestCreationResponse(msgspec.Struct, frozen=True):
    id: str


class PullRequestBasic(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; what is absent stays."""

    status: Status | UnsetType = UNSET
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET


class ListPullRequestsQuery(PageQuery, frozen=True, kw_only=True, omit_defaults=True):
    """`closed` means closed or merged."""

    status: Literal["open", "closed", "all"] = "all"


_PULLS = "/repositories/{repository}/pulls"
_PULL = _PULLS + "/{pull_request}"

LIST_PULL_REQUESTS = Operation(
    name="list_pull_requests",
    id="listPullRequests",
    method="GET",
    path=_PULLS,
    tag="pulls",
    summary="List pull requests, newest first",
    allow=need("pr:ListPullRequests", REPOSITORY),
    query=ListPullRequestsQuery,
    result=PullRequestsList,
)
CREATE_PULL_REQUEST = Operation(
    name="create_pull_request",
    id="createPullRequest",
    method="POST",
    path=_PULLS,
    tag="pulls",
    summary="Propose to merge one branch into another",
    allow=need("pr:WritePullRequest", REPOSITORY),
    body=PullRequestCreation,
    result=PullRequestCreationResponse,
    status=201,
)
GET_PULL_REQUEST = Operation(
    name="get_pull_request",
    id="getPullRequest",
    method="GET",
    path=_PULL,
    tag="pulls",
    summary="Get a pull request",
    allow=need("pr:ReadPullRequest", REPOSITORY),
    result=PullRequest,
)
UPDATE_PULL_REQUEST = Operation(
    name="update_pull_request",
    id="updatePullRequest",
    method="PATCH",
    path=_PULL,
    tag="pulls",
    summary="Change title, description or status of a pull request",
    allow=need("pr:WritePullRequest", REPOSITORY),
    body=PullRequestBasic,
    status=204,
)
MERGE_PULL_REQUEST = Operation(
    name="merge_pull_request",
    id="mergePullRequest",
    method="PUT",
    path=_PULL + "/merge",
    tag="pulls",
    summary="Merge the branches of a pull request, and close it",
    allow=DYNAMIC,
    result=MergeResult,
)

OPERATIONS = (
    LIST_PULL_REQUESTS,
    CREATE_PULL_REQUEST,
    GET_PULL_REQUEST,
    UPDATE_PULL_REQUEST,
    MERGE_PULL_REQUEST,
)

# SPDX-License-Identifier: Apache-2.0
"""Approvals and checks of pull requests. Nothing of it is in the protocol; who knows nothing of it notices nothing."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from lakehouse.wire.operation import REPOSITORY, Operation, need

_RULES = "/repositories/{repository}/settings/merge_rules"
_PULL = "/repositories/{repository}/pulls/{pull_request}"
Verdict = Literal["approve", "reject", "comment"]
CheckState = Literal["pending", "success", "failure"]
_Text = Annotated[str, msgspec.Meta(max_length=4096)]


class MergeRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What pull requests into branches that match the glob `pattern` need before they may be merged."""

    pattern: str
    approvals: int = 0
    checks: list[str] = []


class ReviewCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    verdict: Verdict
    comment: _Text = ""


class CheckCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    state: CheckState
    description: _Text = ""


class PullRequestReview(msgspec.Struct, frozen=True, kw_only=True):
    """The last word of a reviewer, and the commit that it is about. `time` in seconds."""

    reviewer: str
    verdict: Verdict
    commit_id: str
    comment: str
    time: int


class CommitCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a program found. `time` in seconds."""

    name: str
    state: CheckState
    description: str
    actor: str
    time: int


class PullRequestReadiness(msgspec.Struct, frozen=True, kw_only=True):
    """`missing`: what the rules ask for before `commit_id`, the source branch's head, may be merged."""

    commit_id: str
    ready: bool
    missing: list[str]
    reviews: list[PullRequestReview]
    checks: list[CommitCheck]


GET_MERGE_RULES = Operation(
    name="get_merge_rules",
    id="getMergeRules",
    method="GET",
    path=_RULES,
    tag="reviews",
    summary="Get the rules that merges of pull requests must meet",
    allow=need("branches:GetBranchProtectionRules", REPOSITORY),
    result=list[MergeRule],
)
SET_MERGE_RULES = Operation(
    name="set_merge_rules",
    id="setMergeRules",
    method="PUT",
    path=_RULES,
    tag="reviews",
    summary="Replace the rules that merges of pull requests must meet",
    allow=need("branches:SetBranchProtectionRules", REPOSITORY),
    body=list[MergeRule],
    status=204,
)
REVIEW_PULL_REQUEST = Operation(
    name="review_pull_request",
    id="reviewPullRequest",
    method="PUT",
    path=_PULL + "/review",
    tag="reviews",
    summary="Approve or reject a pull request as it is now",
    allow=need("pr:WritePullRequest", REPOSITORY),
    body=ReviewCreation,
    status=204,
)
PULL_REQUEST_READINESS = Operation(
    name="pull_request_readiness",
    id="pullRequestReadiness",
    method="GET",
    path=_PULL + "/readiness",
    tag="reviews",
    summary="Ask what is said of a pull request, and what it lacks",
    allow=need("pr:ReadPullRequest", REPOSITORY),
    result=PullRequestReadiness,
)
REPORT_CHECK = Operation(
    name="report_check",
    id="reportCheck",
    method="PUT",
    path="/repositories/{repository}/refs/{ref}/checks/{check}",
    tag="reviews",
    summary="Report what a program found of a commit",
    allow=need("pr:WritePullRequest", REPOSITORY),
    body=CheckCreation,
    status=204,
)

OPERATIONS = (GET_MERGE_RULES, SET_MERGE_RULES, REVIEW_PULL_REQUEST, PULL_REQUEST_READINESS, REPORT_CHECK)

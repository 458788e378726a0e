# SPDX-License-Identifier: Apache-2.0
"""Between refs: history, differences, merges."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.core.errors import InvalidArgument
from lakehouse.wire.commits import CommitList
from lakehouse.wire.diffs import DiffList, DiffQuery
from lakehouse.wire.objects import ObjectStats
from lakehouse.wire.operation import REPOSITORY, Operation, need
from lakehouse.wire.paging import DEFAULT_AMOUNT, Amount, PageQuery, Pagination, Required


class LogCommitsQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`limit`: at most `amount` in all. `since` is RFC 3339, `stop_at` a commit that is still listed.

    Raises InvalidArgument for a `since` that is no time.
    """

    after: str = ""
    amount: Amount = DEFAULT_AMOUNT
    objects: list[str] = []
    prefixes: list[str] = []
    limit: bool = False
    first_parent: bool = False
    since: str = ""
    stop_at: str = ""

    def __post_init__(self) -> None:
        if self.since:
            parse_time(self.since, argument="since")

    @property
    def items(self) -> int:
        """How many commits are wanted: 0 and -1 mean the default."""
        return self.amount if self.amount > 0 else DEFAULT_AMOUNT

    @property
    def since_seconds(self) -> int | None:
        """`since` in seconds since 1970. Raises InvalidArgument."""
        return parse_time(self.since, argument="since") if self.since else None


def parse_time(text: str, *, argument: str) -> int:
    """RFC 3339 as seconds since 1970, rounded up; UTC when it names no zone. Raises InvalidArgument."""
    try:
        time = msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise InvalidArgument(
            f"argument {argument}: not a time as RFC 3339 has it, such as 2026-01-31T12:00:00Z: "
            "invalid value: validation error"
        ) from error
    return -int(-(time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() // 1)


class DiffRefsQuery(DiffQuery, frozen=True, kw_only=True, omit_defaults=True):
    """`three_dot`: what happened on the right since both parted. `two_dot`: one tree against the other."""

    type: Literal["two_dot", "three_dot"] = "three_dot"
    include_right_stats: bool = False


class GlobStrategy(msgspec.Struct, frozen=True):
    """The strategy at conflicting paths that `glob` matches: `dest-wins`, `source-wins`, or `default`, an error.

    `*` matches any characters, `/` among them; `?`, `[a-z]` and `{one,other}` are known too.
    """

    glob: Required
    strategy: str


class Resolution(msgspec.Struct, frozen=True):
    """What becomes of one conflicting path: an entry of one of the three commits, or nothing."""

    path: Required
    take: Literal["destination", "source", "base", "delete"]


class Merge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`strategy` is `dest-wins` or `source-wins`, and settles conflicts; without it they are an error.

    `resolutions` settle conflicts path by path and come first, then the first of `strategies` whose glob matches, then
    `strategy`.
    """

    message: str = ""
    metadata: dict[str, str] = {}
    strategy: str = ""
    force: bool = False
    allow_empty: bool = False
    squash_merge: bool = False
    strategies: list[GlobStrategy] = []
    resolutions: list[Resolution] = []


class MergeSummary(msgspec.Struct, frozen=True):
    """How many paths of the destination a merge touched. The oldest clients cannot read a MergeResult without it."""

    added: int
    removed: int
    changed: int
    conflict: int


class MergeResult(msgspec.Struct, frozen=True):
    """`reference` is the id of the merge commit; "" when there were conflicts (409), and then there is no summary."""

    reference: str
    summary: MergeSummary | UnsetType = UNSET


class MergeConflict(msgspec.Struct, frozen=True, kw_only=True):
    """A path that both sides changed, and differently. A side without the object, and so `base`, is left out."""

    path: str
    base: ObjectStats | UnsetType = UNSET
    source: ObjectStats | UnsetType = UNSET
    destination: ObjectStats | UnsetType = UNSET


class MergeConflictList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[MergeConflict]


class FindMergeBaseResult(msgspec.Struct, frozen=True, kw_only=True):
    source_commit_id: str
    destination_commit_id: str
    base_commit_id: str


LOG_COMMITS = Operation(
    name="log_commits",
    id="logCommits",
    method="GET",
    path="/repositories/{repository}/refs/{ref}/commits",
    tag="refs",
    summary="List the commits that a ref can reach, newest first",
    allow=need("fs:ReadBranch", "repository/{repository}/branch/{ref}"),
    query=LogCommitsQuery,
    result=CommitList,
)
DIFF_REFS = Operation(
    name="diff_refs",
    id="diffRefs",
    method="GET",
    path="/repositories/{repository}/refs/{leftRef}/diff/{rightRef}",
    tag="refs",
    summary="List the differences between two refs",
    allow=need("fs:ListObjects", REPOSITORY),
    query=DiffRefsQuery,
    result=DiffList,
)
MERGE_INTO_BRANCH = Operation(
    name="merge_into_branch",
    id="mergeIntoBranch",
    method="POST",
    path="/repositories/{repository}/refs/{sourceRef}/merge/{destinationBranch}",
    tag="refs",
    summary="Merge a ref into a branch",
    allow=need("fs:CreateCommit", "repository/{repository}/branch/{destinationBranch}"),
    body=Merge,
    body_required=False,
    result=MergeResult,
    also={409: MergeResult},
)
FIND_MERGE_BASE = Operation(
    name="find_merge_base",
    id="findMergeBase",
    method="GET",
    path="/repositories/{repository}/refs/{sourceRef}/merge/{destinationBranch}",
    tag="refs",
    summary="Find the commit from which two refs parted",
    allow=need("fs:ListCommits", REPOSITORY),
    result=FindMergeBaseResult,
)
LIST_MERGE_CONFLICTS = Operation(
    name="list_merge_conflicts",
    id="listMergeConflicts",
    method="GET",
    path="/repositories/{repository}/refs/{sourceRef}/merge/{destinationBranch}/conflicts",
    tag="refs",
    summary="List the paths that would be in conflict if a ref were merged into a branch, without merging",
    allow=need("fs:ListObjects", REPOSITORY),
    query=PageQuery,
    result=MergeConflictList,
)

OPERATIONS = (LOG_COMMITS, DIFF_REFS, MERGE_INTO_BRANCH, FIND_MERGE_BASE, LIST_MERGE_CONFLICTS)

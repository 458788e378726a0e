# SPDX-License-Identifier: Apache-2.0
"""Where what a ref shows came from: the history of a path, and the last commit of each item of a listing."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.commits import Commit
from lakehouse.wire.diffs import PathType
from lakehouse.wire.objects import ObjectStats, PathQuery
from lakehouse.wire.operation import OBJECT, REPOSITORY, Operation, need
from lakehouse.wire.paging import DEFAULT_AMOUNT, Amount, PageQuery, Pagination


class LogPathQuery(PathQuery, frozen=True, kw_only=True, omit_defaults=True):
    """`after` is the commit of the last change of the page before. `first_parent`: a merge is one change."""

    after: str = ""
    amount: Amount = DEFAULT_AMOUNT
    first_parent: bool = False

    @property
    def limit(self) -> int:
        """How many changes are wanted: 0 and -1 mean the default."""
        return self.amount if self.amount > 0 else DEFAULT_AMOUNT


class PathChange(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that changed the path, and the object as it is since then; none when it was removed."""

    type: Literal["added", "changed", "removed"]
    commit: Commit
    object: ObjectStats | UnsetType = UNSET


class PathChangeList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[PathChange]


class BlamePrefixQuery(PageQuery, frozen=True, kw_only=True, omit_defaults=True):
    """With `delimiter`, paths that share a prefix up to it are one item."""

    delimiter: str = ""


class Blame(msgspec.Struct, frozen=True, kw_only=True):
    """An object and the commit that made it what it is; or a common prefix and the last that changed anything in it."""

    path: str
    path_type: PathType
    commit: Commit


class BlameList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[Blame]


_AT_REF = "/repositories/{repository}/refs/{ref}/objects"

LOG_PATH = Operation(
    name="log_path",
    id="logPath",
    method="GET",
    path=_AT_REF + "/log",
    tag="history",
    summary="List the commits that changed one path, newest first",
    allow=need("fs:ReadObject", OBJECT) + need("fs:ListCommits", REPOSITORY),
    query=LogPathQuery,
    result=PathChangeList,
)
BLAME_PREFIX = Operation(
    name="blame_prefix",
    id="blamePrefix",
    method="GET",
    path=_AT_REF + "/blame",
    tag="history",
    summary="List objects and prefixes of a commit, each with the commit that last changed it",
    allow=need("fs:ListObjects", REPOSITORY) + need("fs:ListCommits", REPOSITORY),
    query=BlamePrefixQuery,
    result=BlameList,
)

OPERATIONS = (LOG_PATH, BLAME_PREFIX)

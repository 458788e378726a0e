# SPDX-License-Identifier: Apache-2.0
"""What a check found, in words and as data. A report holds so many problems and counts the rest."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import msgspec

MOST = 1000
"""Problems that are told one by one."""
MOST_REFS = 10
"""Refs that are named with each."""


class Kind(StrEnum):
    """What can be wrong. The values are the words of the JSON report."""

    DATABASE = "database"
    DANGLING_ROW = "dangling_row"
    REF_WITHOUT_COMMIT = "ref_without_commit"
    COMMIT_WITHOUT_PARENT = "commit_without_parent"
    COMMIT_DAMAGED = "commit_damaged"
    STAGED_DAMAGED = "staged_damaged"
    STAGED_LEFT_BEHIND = "staged_left_behind"
    TOKEN_SHARED = "token_shared"  # noqa: S105  (a word)
    NODE_MISSING = "node_missing"
    NODE_DAMAGED = "node_damaged"
    OBJECT_MISSING = "object_missing"
    OBJECT_SIZE = "object_size"
    OBJECT_DAMAGED = "object_damaged"
    RECORD_MISSING = "record_missing"
    UNREACHABLE = "store_unreachable"


WARNINGS = frozenset({Kind.STAGED_LEFT_BEHIND, Kind.DANGLING_ROW, Kind.RECORD_MISSING})
"""What costs room or a second line of defence, and no data."""
_NODE = "restore this key from a backup or replica of the store; else delete the refs or go back to a commit before it"
_OBJECT = "restore this key from a backup or replica of the store, or upload the object again and commit"
REPAIRS: dict[Kind, str] = {
    Kind.DATABASE: "stop the servers and restore the database: `lakehouse db restore`",
    Kind.DANGLING_ROW: "harmless; what it belonged to is gone",
    Kind.REF_WITHOUT_COMMIT: "delete the ref, or restore the database from a backup",
    Kind.COMMIT_WITHOUT_PARENT: "restore the database from a backup; what is newer can be read meanwhile",
    Kind.COMMIT_DAMAGED: "restore the database from a backup; the commit's record lies in the store",
    Kind.STAGED_DAMAGED: "reset this path of the branch, or upload the object again",
    Kind.STAGED_LEFT_BEHIND: "harmless; `lakehouse fsck` after the next restart shows whether it stays",
    Kind.TOKEN_SHARED: "commit or reset one of the branches, and tell the developers",
    Kind.NODE_MISSING: _NODE,
    Kind.NODE_DAMAGED: _NODE,
    Kind.OBJECT_MISSING: _OBJECT,
    Kind.OBJECT_SIZE: _OBJECT,
    Kind.OBJECT_DAMAGED: _OBJECT,
    Kind.RECORD_MISSING: "nothing is lost; a backup of the store alone would miss this commit",
    Kind.UNREACHABLE: "see to the store and check again",
}


class Problem(msgspec.Struct):
    """Something that is wrong. `key` is in the store where it is about that; `refs` need it."""

    kind: Kind
    repository: str
    message: str
    key: str = ""
    refs: list[str] = []
    more_refs: int = 0
    repair: str = ""

    @property
    def warning(self) -> bool:
        return self.kind in WARNINGS


class Report(msgspec.Struct):
    """The outcome of a check. Counts are of what was looked at; sizes in bytes."""

    started: int
    finished: int = 0
    repositories: int = 0
    refs: int = 0
    commits: int = 0
    nodes: int = 0
    staged: int = 0
    objects: int = 0
    external: int = 0
    bytes_read: int = 0
    problems: list[Problem] = []
    by_kind: dict[str, int] = {}

    def add(self, kind: Kind, repository: str, message: str, *, key: str = "", refs: tuple[str, ...] = ()) -> Problem:
        """Tell a problem; of each kind the first ones."""
        problem = Problem(kind, repository, message, key, list(refs), repair=REPAIRS[kind])
        self.by_kind[kind] = self.by_kind.get(kind, 0) + 1
        if len(self.problems) < MOST:
            self.problems.append(problem)
        return problem

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong that could cost data."""
        return not any(count for kind, count in self.by_kind.items() if Kind(kind) not in WARNINGS)

    @property
    def untold(self) -> int:
        """Problems that are counted only."""
        return sum(Counter(self.by_kind).values()) - len(self.problems)

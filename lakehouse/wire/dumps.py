# SPDX-License-Identifier: Apache-2.0
"""Dump and restore of commits, branches and tags."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import REPOSITORY, Operation, need
from lakehouse.wire.paging import Required

_DUMP = need("fs:ListTags", REPOSITORY) + need("fs:ListBranches", REPOSITORY) + need("fs:ListCommits", REPOSITORY)
_RESTORE = need("fs:CreateTag", REPOSITORY) + need("fs:CreateBranch", REPOSITORY) + need("fs:CreateCommit", REPOSITORY)


class RefsDump(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of a dump's files."""

    commits_meta_range_id: str
    tags_meta_range_id: str
    branches_meta_range_id: str


class RefsRestore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which dump to restore."""

    commits_meta_range_id: str
    tags_meta_range_id: str
    branches_meta_range_id: str
    force: bool = False


class TaskInfo(msgspec.Struct, frozen=True):
    id: str


class DumpTaskQuery(msgspec.Struct, frozen=True, kw_only=True):
    task_id: Required


class RepositoryDumpStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`refs` when it is done without an error."""

    id: str
    done: bool
    update_time: datetime
    error: str | UnsetType = UNSET
    refs: RefsDump | UnsetType = UNSET


class RepositoryRestoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    done: bool
    update_time: datetime
    error: str | UnsetType = UNSET


DUMP_REFS = Operation(
    name="dump_refs",
    id="dumpRefs",
    method="PUT",
    path="/repositories/{repository}/refs/dump",
    tag="dumps",
    summary="Write commits, branches and tags to the repository's storage",
    allow=_DUMP,
    result=RefsDump,
    status=201,
)
RESTORE_REFS = Operation(
    name="restore_refs",
    id="restoreRefs",
    method="PUT",
    path="/repositories/{repository}/refs/restore",
    tag="dumps",
    summary="Restore commits, branches and tags into a bare repository",
    allow=_RESTORE,
    body=RefsRestore,
)
DUMP_SUBMIT = Operation(
    name="dump_submit",
    id="dumpSubmit",
    method="POST",
    path="/repositories/{repository}/dump",
    tag="dumps",
    summary="Begin to dump commits, branches and tags",
    allow=_DUMP,
    result=TaskInfo,
    status=202,
)
DUMP_STATUS = Operation(
    name="dump_status",
    id="dumpStatus",
    method="GET",
    path="/repositories/{repository}/dump",
    tag="dumps",
    summary="Ask whether a dump is done",
    allow=_DUMP,
    query=DumpTaskQuery,
    result=RepositoryDumpStatus,
)
RESTORE_SUBMIT = Operation(
    name="restore_submit",
    id="restoreSubmit",
    method="POST",
    path="/repositories/{repository}/restore",
    tag="dumps",
    summary="Begin to restore commits, branches and tags into a bare repository",
    allow=_RESTORE,
    body=RefsRestore,
    result=TaskInfo,
    status=202,
)
RESTORE_STATUS = Operation(
    name="restore_status",
    id="restoreStatus",
    method="GET",
    path="/repositories/{repository}/restore",
    tag="dumps",
    summary="Ask whether a restore is done",
    allow=_RESTORE,
    query=DumpTaskQuery,
    result=RepositoryRestoreStatus,
)

OPERATIONS = (DUMP_REFS, RESTORE_REFS, DUMP_SUBMIT, DUMP_STATUS, RESTORE_SUBMIT, RESTORE_STATUS)

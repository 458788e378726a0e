# SPDX-License-Identifier: Apache-2.0
"""Import: objects of a store become entries of a branch."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.commits import Commit, CommitCreation
from lakehouse.wire.errors import Error
from lakehouse.wire.operation import BRANCH, DYNAMIC, Operation, need
from lakehouse.wire.paging import Required


class ImportLocation(msgspec.Struct, frozen=True, kw_only=True):
    """`common_prefix`: every object whose address begins with `path` goes below `destination`. `object`: one object."""

    type: Literal["common_prefix", "object"]
    path: str
    destination: str


class ImportCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`mode` `replace`: what stands under a destination and is not among the sources goes. `add`: it stays."""

    paths: list[ImportLocation]
    commit: CommitCreation
    force: bool = False
    mode: Literal["replace", "add"] = "replace"


class ImportCreationResponse(msgspec.Struct, frozen=True):
    id: str


class ImportStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`completed` with `commit`, or `error`; else it runs. `ingested_objects` grows meanwhile."""

    completed: bool
    update_time: datetime
    ingested_objects: int | UnsetType = UNSET
    metarange_id: str | UnsetType = UNSET
    commit: Commit | UnsetType = UNSET
    error: Error | UnsetType = UNSET


class ImportQuery(msgspec.Struct, frozen=True, kw_only=True):
    id: Required


_IMPORT = "/repositories/{repository}/branches/{branch}/import"

IMPORT_START = Operation(
    name="import_start",
    id="importStart",
    method="POST",
    path=_IMPORT,
    tag="imports",
    summary="Begin to import objects into a branch",
    allow=DYNAMIC,
    body=ImportCreation,
    result=ImportCreationResponse,
    status=202,
)
IMPORT_STATUS = Operation(
    name="import_status",
    id="importStatus",
    method="GET",
    path=_IMPORT,
    tag="imports",
    summary="Ask how far an import is",
    allow=need("fs:ReadBranch", BRANCH),
    query=ImportQuery,
    result=ImportStatus,
)
IMPORT_CANCEL = Operation(
    name="import_cancel",
    id="importCancel",
    method="DELETE",
    path=_IMPORT,
    tag="imports",
    summary="Cancel an import",
    allow=need("fs:ImportCancel", BRANCH),
    query=ImportQuery,
    status=204,
)

OPERATIONS = (IMPORT_START, IMPORT_STATUS, IMPORT_CANCEL)

# SPDX-License-Identifier: Apache-2.0
"""Garbage collection: retention rules, runs, and what other collectors are told."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.errors import Error
from lakehouse.wire.operation import REPOSITORY, Operation, need
from lakehouse.wire.paging import Required

_GET = need("retention:GetGarbageCollectionRules", REPOSITORY)
_SET = need("retention:SetGarbageCollectionRules", REPOSITORY)
_COMMITS = need("retention:PrepareGarbageCollectionCommits", REPOSITORY)
_UNCOMMITTED = need("retention:PrepareGarbageCollectionUncommitted", REPOSITORY)
_SETTINGS = "/repositories/{repository}/settings/gc_rules"
_RULES = "/repositories/{repository}/gc/rules"
_PREPARE = "/repositories/{repository}/gc/prepare_commits"
_RUNS = "/repositories/{repository}/gc/runs"


class GarbageCollectionRule(msgspec.Struct, frozen=True):
    """Days for which the commits of a branch are kept."""

    branch_id: str
    retention_days: int


class GarbageCollectionRules(msgspec.Struct, frozen=True):
    """`default_retention_days`: of the branches that are not named."""

    default_retention_days: int
    branches: list[GarbageCollectionRule] | None


class GarbageCollectionPrepareResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Where the list of active commits is; without a URL where the store makes none."""

    run_id: str
    gc_commits_location: str
    gc_addresses_location: str
    gc_commits_presigned_url: str | UnsetType = UNSET


class TaskCreation(msgspec.Struct, frozen=True):
    id: str


class TaskQuery(msgspec.Struct, frozen=True, kw_only=True):
    id: Required


class PrepareGarbageCollectionCommitsStatus(msgspec.Struct, frozen=True, kw_only=True):
    task_id: str
    completed: bool
    update_time: datetime
    result: GarbageCollectionPrepareResponse | UnsetType = UNSET
    error: Error | UnsetType = UNSET


class PrepareGCUncommittedRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`continuation_token`: of the answer before, to go on."""

    continuation_token: str = ""


class PrepareGCUncommittedResponse(msgspec.Struct, frozen=True, kw_only=True):
    run_id: str
    gc_uncommitted_location: str
    continuation_token: str | UnsetType = UNSET


class GarbageCollectionCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`dry_run`: only say what would be done."""

    dry_run: bool = False


class GarbageCollectionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run found and did. Times in seconds, sizes in bytes."""

    id: str
    repository: str
    dry_run: bool
    started: int
    finished: int
    commits_kept: int
    commits_expired: int
    nodes_kept: int
    listed: int
    young: int
    foreign: int
    waiting: int
    waiting_bytes: int
    deleted: int
    deleted_bytes: int
    idle_hidden_branches: list[str]


class GarbageCollectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`listed` grows while it runs; `report` when it is done."""

    id: str
    done: bool
    update_time: datetime
    listed: int
    report: GarbageCollectionReport | UnsetType = UNSET
    error: Error | UnsetType = UNSET


class GarbageCollectionReportList(msgspec.Struct, frozen=True):
    results: list[GarbageCollectionReport]


GET_GC_RULES = Operation(
    name="get_gc_rules",
    id="getGCRules",
    method="GET",
    path=_SETTINGS,
    tag="gc",
    summary="Get the retention rules",
    allow=_GET,
    result=GarbageCollectionRules,
)
SET_GC_RULES = Operation(
    name="set_gc_rules",
    id="setGCRules",
    method="PUT",
    path=_SETTINGS,
    tag="gc",
    summary="Replace the retention rules",
    allow=_SET,
    body=GarbageCollectionRules,
    status=204,
)
DELETE_GC_RULES = Operation(
    name="delete_gc_rules",
    id="deleteGCRules",
    method="DELETE",
    path=_SETTINGS,
    tag="gc",
    summary="Remove the retention rules: commits never expire",
    allow=_SET,
    status=204,
)
SET_GARBAGE_COLLECTION_RULES_PREFLIGHT = Operation(
    name="set_garbage_collection_rules_preflight",
    id="setGarbageCollectionRulesPreflight",
    method="GET",
    path=_RULES + "/set_allowed",
    tag="gc",
    summary="Ask whether retention rules may be set",
    allow=_SET,
    status=204,
)
INTERNAL_GET_GARBAGE_COLLECTION_RULES = Operation(
    name="internal_get_garbage_collection_rules",
    id="internalGetGarbageCollectionRules",
    method="GET",
    path=_RULES,
    tag="gc",
    summary="Get the retention rules",
    allow=_GET,
    result=GarbageCollectionRules,
    deprecated=True,
)
INTERNAL_SET_GARBAGE_COLLECTION_RULES = Operation(
    name="internal_set_garbage_collection_rules",
    id="internalSetGarbageCollectionRules",
    method="POST",
    path=_RULES,
    tag="gc",
    summary="Replace the retention rules",
    allow=_SET,
    body=GarbageCollectionRules,
    status=204,
    deprecated=True,
)
INTERNAL_DELETE_GARBAGE_COLLECTION_RULES = Operation(
    name="internal_delete_garbage_collection_rules",
    id="internalDeleteGarbageCollectionRules",
    method="DELETE",
    path=_RULES,
    tag="gc",
    summary="Remove the retention rules",
    allow=_SET,
    status=204,
    deprecated=True,
)
PREPARE_GARBAGE_COLLECTION_COMMITS = Operation(
    name="prepare_garbage_collection_commits",
    id="prepareGarbageCollectionCommits",
    method="POST",
    path=_PREPARE,
    tag="gc",
    summary="Write the list of commits that retention keeps",
    allow=_COMMITS,
    result=GarbageCollectionPrepareResponse,
    status=201,
)
PREPARE_GARBAGE_COLLECTION_COMMITS_ASYNC = Operation(
    name="prepare_garbage_collection_commits_async",
    id="prepareGarbageCollectionCommitsAsync",
    method="POST",
    path=_PREPARE + "/async",
    tag="gc",
    summary="Begin to write the list of commits that retention keeps",
    allow=_COMMITS,
    result=TaskCreation,
    status=202,
)
PREPARE_GARBAGE_COLLECTION_COMMITS_STATUS = Operation(
    name="prepare_garbage_collection_commits_status",
    id="prepareGarbageCollectionCommitsStatus",
    method="GET",
    path=_PREPARE + "/status",
    tag="gc",
    summary="Ask whether the list of commits is written",
    allow=_COMMITS,
    query=TaskQuery,
    result=PrepareGarbageCollectionCommitsStatus,
)
PREPARE_GARBAGE_COLLECTION_UNCOMMITTED = Operation(
    name="prepare_garbage_collection_uncommitted",
    id="prepareGarbageCollectionUncommitted",
    method="POST",
    path="/repositories/{repository}/gc/prepare_uncommited",
    tag="gc",
    summary="Write a list of uncommitted objects, as Parquet",
    allow=_UNCOMMITTED,
    body=PrepareGCUncommittedRequest,
    body_required=False,
    result=PrepareGCUncommittedResponse,
    status=201,
)
START_GARBAGE_COLLECTION = Operation(
    name="start_garbage_collection",
    id="startGarbageCollection",
    method="POST",
    path=_RUNS,
    tag="gc",
    summary="Begin to collect the garbage of a repository",
    allow=_COMMITS + _UNCOMMITTED,
    body=GarbageCollectionCreation,
    body_required=False,
    result=TaskCreation,
    status=202,
)
GARBAGE_COLLECTION_STATUS = Operation(
    name="garbage_collection_status",
    id="garbageCollectionStatus",
    method="GET",
    path=_RUNS + "/{run}",
    tag="gc",
    summary="Ask how far a run of garbage collection is, and what it did",
    allow=_COMMITS + _UNCOMMITTED,
    result=GarbageCollectionStatus,
)
LIST_GARBAGE_COLLECTIONS = Operation(
    name="list_garbage_collections",
    id="listGarbageCollections",
    method="GET",
    path=_RUNS,
    tag="gc",
    summary="What the last hundred runs of garbage collection did, newest first",
    allow=_COMMITS + _UNCOMMITTED,
    result=GarbageCollectionReportList,
)
FORGET_GARBAGE = Operation(
    name="forget_garbage",
    id="forgetGarbage",
    method="DELETE",
    path="/repositories/{repository}/gc/candidates",
    tag="gc",
    summary="Undo marks: nothing found so far is deleted before it is found twice again",
    allow=_SET,
    status=204,
)

OPERATIONS = (
    GET_GC_RULES,
    SET_GC_RULES,
    DELETE_GC_RULES,
    SET_GARBAGE_COLLECTION_RULES_PREFLIGHT,
    INTERNAL_GET_GARBAGE_COLLECTION_RULES,
    INTERNAL_SET_GARBAGE_COLLECTION_RULES,
    INTERNAL_DELETE_GARBAGE_COLLECTION_RULES,
    PREPARE_GARBAGE_COLLECTION_COMMITS,
    PREPARE_GARBAGE_COLLECTION_COMMITS_ASYNC,
    PREPARE_GARBAGE_COLLECTION_COMMITS_STATUS,
    PREPARE_GARBAGE_COLLECTION_UNCOMMITTED,
    START_GARBAGE_COLLECTION,
    GARBAGE_COLLECTION_STATUS,
    LIST_GARBAGE_COLLECTIONS,
    FORGET_GARBAGE,
)

# SPDX-License-Identifier: Apache-2.0
"""Garbage collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.gc import (
    DELETE_GC_RULES,
    FORGET_GARBAGE,
    GARBAGE_COLLECTION_STATUS,
    GET_GC_RULES,
    INTERNAL_DELETE_GARBAGE_COLLECTION_RULES,
    INTERNAL_GET_GARBAGE_COLLECTION_RULES,
    INTERNAL_SET_GARBAGE_COLLECTION_RULES,
    LIST_GARBAGE_COLLECTIONS,
    PREPARE_GARBAGE_COLLECTION_COMMITS,
    PREPARE_GARBAGE_COLLECTION_COMMITS_ASYNC,
    PREPARE_GARBAGE_COLLECTION_COMMITS_STATUS,
    PREPARE_GARBAGE_COLLECTION_UNCOMMITTED,
    SET_GARBAGE_COLLECTION_RULES_PREFLIGHT,
    SET_GC_RULES,
    START_GARBAGE_COLLECTION,
    GarbageCollectionCreation,
    GarbageCollectionPrepareResponse,
    GarbageCollectionReportList,
    GarbageCollectionRule,
    GarbageCollectionRules,
    GarbageCollectionStatus,
    PrepareGarbageCollectionCommitsStatus,
    PrepareGCUncommittedRequest,
    PrepareGCUncommittedResponse,
    TaskCreation,
    TaskQuery,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.sdk._async.transport import Transport


class GarbageCollection:
    """Retention rules, and the deletion of what nothing needs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get_gc_rules(self, repository: str) -> GarbageCollectionRules:
        """The retention rules. Raises SettingNotFound."""
        return await self._transport.call(GET_GC_RULES, GarbageCollectionRules, {"repository": repository})

    async def set_gc_rules(
        self, repository: str, default_days: int, *, branches: Mapping[str, int] | None = None
    ) -> None:
        """Keep commits for so many days, by branch and by default."""
        body = _rules(default_days, branches)
        await self._transport.send(SET_GC_RULES, {"repository": repository}, body=body)

    async def delete_gc_rules(self, repository: str) -> None:
        """Remove the retention rules: commits never expire."""
        await self._transport.send(DELETE_GC_RULES, {"repository": repository})

    async def set_garbage_collection_rules_preflight(self, repository: str) -> None:
        """Return when rules may be set. Raises InsufficientPermissions."""
        await self._transport.send(SET_GARBAGE_COLLECTION_RULES_PREFLIGHT, {"repository": repository})

    async def internal_get_garbage_collection_rules(self, repository: str) -> GarbageCollectionRules:
        """The retention rules, by the older operation."""
        path = {"repository": repository}
        return await self._transport.call(INTERNAL_GET_GARBAGE_COLLECTION_RULES, GarbageCollectionRules, path)

    async def internal_set_garbage_collection_rules(
        self, repository: str, default_days: int, *, branches: Mapping[str, int] | None = None
    ) -> None:
        """Replace the retention rules, by the older operation."""
        body = _rules(default_days, branches)
        await self._transport.send(INTERNAL_SET_GARBAGE_COLLECTION_RULES, {"repository": repository}, body=body)

    async def internal_delete_garbage_collection_rules(self, repository: str) -> None:
        """Remove the retention rules, by the older operation."""
        await self._transport.send(INTERNAL_DELETE_GARBAGE_COLLECTION_RULES, {"repository": repository})

    async def prepare_garbage_collection_commits(self, repository: str) -> GarbageCollectionPrepareResponse:
        """Write the list of commits that retention keeps, for another collector. Raises SettingNotFound."""
        path = {"repository": repository}
        return await self._transport.call(PREPARE_GARBAGE_COLLECTION_COMMITS, GarbageCollectionPrepareResponse, path)

    async def prepare_garbage_collection_commits_async(self, repository: str) -> TaskCreation:
        """Begin to write that list."""
        path = {"repository": repository}
        return await self._transport.call(PREPARE_GARBAGE_COLLECTION_COMMITS_ASYNC, TaskCreation, path)

    async def prepare_garbage_collection_commits_status(
        self,
        repository: str,
        id: str,  # noqa: A002
    ) -> PrepareGarbageCollectionCommitsStatus:
        """Whether that list is written. Raises TaskNotFound."""
        return await self._transport.call(
            PREPARE_GARBAGE_COLLECTION_COMMITS_STATUS,
            PrepareGarbageCollectionCommitsStatus,
            {"repository": repository},
            query=TaskQuery(id=id),
        )

    async def prepare_garbage_collection_uncommitted(
        self, repository: str, *, continuation_token: str = ""
    ) -> PrepareGCUncommittedResponse:
        """Write a list of uncommitted objects, for another collector."""
        body = PrepareGCUncommittedRequest(continuation_token=continuation_token)
        path = {"repository": repository}
        return await self._transport.call(
            PREPARE_GARBAGE_COLLECTION_UNCOMMITTED, PrepareGCUncommittedResponse, path, body=body
        )

    async def start_garbage_collection(self, repository: str, *, dry_run: bool = False) -> TaskCreation:
        """Begin to collect garbage."""
        body = GarbageCollectionCreation(dry_run=dry_run)
        return await self._transport.call(START_GARBAGE_COLLECTION, TaskCreation, {"repository": repository}, body=body)

    async def garbage_collection_status(self, repository: str, run: str) -> GarbageCollectionStatus:
        """How far a run is, and what it did. Raises TaskNotFound."""
        path = {"repository": repository, "run": run}
        return await self._transport.call(GARBAGE_COLLECTION_STATUS, GarbageCollectionStatus, path)

    async def list_garbage_collections(self, repository: str) -> GarbageCollectionReportList:
        """What the last hundred runs did, newest first."""
        path = {"repository": repository}
        return await self._transport.call(LIST_GARBAGE_COLLECTIONS, GarbageCollectionReportList, path)

    async def forget_garbage(self, repository: str) -> None:
        """Undo marks: nothing found so far is deleted before it is found twice again."""
        await self._transport.send(FORGET_GARBAGE, {"repository": repository})


def _rules(default_days: int, branches: Mapping[str, int] | None) -> GarbageCollectionRules:
    listed = [GarbageCollectionRule(name, days) for name, days in (branches or {}).items()]
    return GarbageCollectionRules(default_days, listed)

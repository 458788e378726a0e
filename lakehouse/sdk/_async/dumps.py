# SPDX-License-Identifier: Apache-2.0
"""Dump and restore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.dumps import (
    DUMP_REFS,
    DUMP_STATUS,
    DUMP_SUBMIT,
    RESTORE_REFS,
    RESTORE_STATUS,
    RESTORE_SUBMIT,
    DumpTaskQuery,
    RefsDump,
    RefsRestore,
    RepositoryDumpStatus,
    RepositoryRestoreStatus,
    TaskInfo,
)

if TYPE_CHECKING:
    from lakehouse.sdk._async.transport import Transport


class Dumps:
    """Commits, branches and tags, written to the repository's storage and read back."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def dump_refs(self, repository: str) -> RefsDump:
        """Write a dump."""
        return await self._transport.call(DUMP_REFS, RefsDump, {"repository": repository})

    async def restore_refs(self, repository: str, dump: RefsDump, *, force: bool = False) -> None:
        """Restore a dump into a bare repository on the same storage namespace. Raises NotBare."""
        await self._transport.send(RESTORE_REFS, {"repository": repository}, body=_restore(dump, force=force))

    async def dump_submit(self, repository: str) -> TaskInfo:
        """Begin a dump."""
        return await self._transport.call(DUMP_SUBMIT, TaskInfo, {"repository": repository})

    async def dump_status(self, repository: str, task_id: str) -> RepositoryDumpStatus:
        """Whether a dump is done, and its ids. Raises TaskNotFound."""
        query = DumpTaskQuery(task_id=task_id)
        return await self._transport.call(DUMP_STATUS, RepositoryDumpStatus, {"repository": repository}, query=query)

    async def restore_submit(self, repository: str, dump: RefsDump, *, force: bool = False) -> TaskInfo:
        """Begin a restore. Raises NotBare."""
        body = _restore(dump, force=force)
        return await self._transport.call(RESTORE_SUBMIT, TaskInfo, {"repository": repository}, body=body)

    async def restore_status(self, repository: str, task_id: str) -> RepositoryRestoreStatus:
        """Whether a restore is done. Raises TaskNotFound."""
        query = DumpTaskQuery(task_id=task_id)
        path = {"repository": repository}
        return await self._transport.call(RESTORE_STATUS, RepositoryRestoreStatus, path, query=query)


def _restore(dump: RefsDump, *, force: bool) -> RefsRestore:
    return RefsRestore(
        commits_meta_range_id=dump.commits_meta_range_id,
        tags_meta_range_id=dump.tags_meta_range_id,
        branches_meta_range_id=dump.branches_meta_range_id,
        force=force,
    )

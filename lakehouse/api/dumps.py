# SPDX-License-Identifier: Apache-2.0
"""Handlers: dump and restore."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from lakehouse.api.services import actor
from lakehouse.api.times import wire_time
from lakehouse.asgi.responses import Response
from lakehouse.meta.tasks import TaskState
from lakehouse.versioning.work import dump, restore
from lakehouse.wire import dumps as wire

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call


async def dump_refs(services: Services, call: Call[None, None]) -> wire.RefsDump:
    return _refs(await dump.dump_refs(services.lake, call.path["repository"]))


async def restore_refs(services: Services, call: Call[None, wire.RefsRestore]) -> Response:
    await restore.restore_refs(services.lake, call.path["repository"], _request(call.body), actor(call))
    return Response(200)


async def dump_submit(services: Services, call: Call[None, None]) -> wire.TaskInfo:
    return wire.TaskInfo(await dump.start_dump(services.lake, call.path["repository"], actor(call)))


async def dump_status(services: Services, call: Call[wire.DumpTaskQuery, None]) -> wire.RepositoryDumpStatus:
    task = await dump.find_dump(services.lake, call.path["repository"], call.query.task_id)
    return wire.RepositoryDumpStatus(
        id=task.id,
        done=task.state is not TaskState.RUNNING,
        update_time=wire_time(task.updated / 1000),
        error=UNSET if task.error is None else task.error,
        refs=UNSET if task.result is None else _refs(msgspec.json.decode(task.result, type=dump.Dumped)),
    )


async def restore_submit(services: Services, call: Call[None, wire.RefsRestore]) -> wire.TaskInfo:
    request = _request(call.body)
    return wire.TaskInfo(await restore.start_restore(services.lake, call.path["repository"], request, actor(call)))


async def restore_status(services: Services, call: Call[wire.DumpTaskQuery, None]) -> wire.RepositoryRestoreStatus:
    task = await restore.find_restore(services.lake, call.path["repository"], call.query.task_id)
    return wire.RepositoryRestoreStatus(
        id=task.id,
        done=task.state is not TaskState.RUNNING,
        update_time=wire_time(task.updated / 1000),
        error=UNSET if task.error is None else task.error,
    )


def _refs(made: dump.Dumped) -> wire.RefsDump:
    return wire.RefsDump(
        commits_meta_range_id=made.commits,
        tags_meta_range_id=made.tags,
        branches_meta_range_id=made.branches,
    )


def _request(body: wire.RefsRestore) -> restore.RestoreRequest:
    wanted = dump.Dumped(body.commits_meta_range_id, body.tags_meta_range_id, body.branches_meta_range_id)
    return restore.RestoreRequest(wanted, force=body.force)

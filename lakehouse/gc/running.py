# SPDX-License-Identifier: Apache-2.0
"""Runs of garbage collection as tasks of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.ordered_ids import ascending_id
from lakehouse.gc.collect import Options, collect_garbage
from lakehouse.meta import repositories
from lakehouse.versioning import resolve
from lakehouse.versioning.state.tasks import NewTask
from lakehouse.versioning.work.working import find_task, start_task

if TYPE_CHECKING:
    from lakehouse.meta.tasks import Task
    from lakehouse.versioning.lake import Actor, Lake
    from lakehouse.versioning.state.tasks import Handle

COLLECT = "gc"
"""The kind of these tasks."""


async def start_collection(lake: Lake, repository: str, options: Options, actor: Actor) -> str:
    """Begin a run; the id of its task. Raises RepositoryNotFound."""
    repo = await resolve.repository(lake, repository)
    task = f"GC{ascending_id(lake.clock())}"
    await start_task(lake, NewTask(task, COLLECT, repo.id, "", options, actor), collect_in_background)
    return task


async def find_collection(lake: Lake, repository: str, task: str) -> Task:
    """Raises RepositoryNotFound, TaskNotFound."""
    return await find_task(lake, await resolve.repository(lake, repository), task, COLLECT)


async def collect_in_background(lake: Lake, handle: Handle) -> None:
    """The work of these tasks."""
    options = msgspec.json.decode(handle.task.request, type=Options)
    repo = await repositories.by_id(lake.db, handle.task.repository)

    def progress(listed: int) -> None:
        handle.progress = listed

    await handle.finish(await collect_garbage(lake, repo.name, options, progress=progress))

# SPDX-License-Identifier: Apache-2.0
"""Begin, find and cancel the tasks of a lake, and go on with those that were left."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from lakehouse.core.errors import LakehouseError, TaskNotFound
from lakehouse.core.ordered_ids import ascending_id
from lakehouse.meta import tasks
from lakehouse.meta.tasks import TaskState
from lakehouse.versioning.state.tasks import LEASE, NewTask, milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from lakehouse.core.records import Repository
    from lakehouse.meta.tasks import Task
    from lakehouse.versioning.lake import Actor, Lake
    from lakehouse.versioning.state.tasks import Handle

LakeWork: TypeAlias = "Callable[[Lake, Handle], Coroutine[Any, Any, None]]"
"""As `tasks.Work`, on a lake."""
logger = logging.getLogger(__name__)


async def start_task(lake: Lake, wanted: NewTask, work: LakeWork) -> None:
    """Add a task and begin it."""
    await lake.tasks.start(lake.db, lake.clock, wanted, partial(work, lake))


class Nothing(msgspec.Struct):
    """A request without members."""


async def begin_task(
    lake: Lake,
    repository: Repository,
    actor: Actor,
    work: LakeWork,
    *,
    kind: str,
    prefix: str,
    request: msgspec.Struct | None = None,
) -> str:
    """Begin a task of a kind, about a repository as a whole; its id, which begins with `prefix`."""
    task = prefix + ascending_id(lake.clock())
    await start_task(lake, NewTask(task, kind, repository.id, "", request or Nothing(), actor), work)
    return task


async def find_task(lake: Lake, repository: Repository, task: str, kind: str) -> Task:
    """A task of this kind. Raises TaskNotFound."""
    found = await tasks.find(lake.db, repository.id, task)
    if found is None or found.kind != kind:
        raise TaskNotFound
    return found


async def cancel_task(lake: Lake, task: Task) -> bool:
    """Cancel a task; whether it is canceled now (again is no error), or had ended before."""
    if (await lake.db.apply(tasks.cancel(task, updated=milliseconds(lake.clock))))[0]:
        lake.tasks.interrupt(task.id)
        return True
    now = await tasks.find(lake.db, task.repository, task.id)
    return now is not None and now.state is TaskState.CANCELED


async def resume_tasks(lake: Lake, works: Mapping[str, LakeWork]) -> int:
    """Go on with abandoned tasks; how many were taken."""
    return await lake.tasks.resume(lake.db, lake.clock, {kind: partial(work, lake) for kind, work in works.items()})


async def resume_for_ever(lake: Lake, works: Mapping[str, LakeWork]) -> None:
    """Take over abandoned tasks until cancelled: at once, then every half lease."""
    while True:
        try:
            await resume_tasks(lake, works)
        except LakehouseError as error:
            logger.warning("abandoned tasks could not be looked for: %s", error)
        await asyncio.sleep(LEASE / 2)

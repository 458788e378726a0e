# SPDX-License-Identifier: Apache-2.0
"""Table `tasks`: work that outlives its request.

A task runs while its owner holds the lease. Every statement of the owner is guarded by owner and state, so that a task
that was canceled or taken over can neither report nor finish.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import TaskTakenOver
from lakehouse.core.ids import RepositoryId
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from lakehouse.db.port import Database, Row


class TaskState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"


class Task(msgspec.Struct, frozen=True):
    """A task. `request`, `actor` and `result` are JSON; `progress` counts what the kind of task counts.

    `updated` in milliseconds, other times in seconds.
    """

    id: str
    repository: RepositoryId
    branch: str
    kind: str
    state: TaskState
    request: str
    actor: str
    progress: int
    result: str | None
    error: str | None
    created: int
    updated: int
    owner: str
    until: int
    attempts: int


_COLUMNS = (
    "id, repository, branch, kind, state, request, actor, progress, result, error, created, updated, owner, until, "
    "attempts"
)


def _task(row: Row) -> Task:
    return Task(row[0], RepositoryId(row[1]), row[2], row[3], TaskState(row[4]), *row[5:])


async def find(db: Database, repository: RepositoryId, task: str) -> Task | None:
    """The task of this id, in this repository."""
    row = await db.one(f"select {_COLUMNS} from tasks where id = ? and repository = ?", (task, repository))
    return None if row is None else _task(row)


async def abandoned(db: Database, *, now: int) -> list[Task]:
    """Some tasks whose owner let the lease run out."""
    rows = await db.all(
        f"select {_COLUMNS} from tasks where state = 'running' and until < ? order by until limit 100", (now,)
    )
    return [_task(row) for row in rows]


def insert(task: Task) -> Statement:
    """Add a task."""
    return Statement(
        f"insert into tasks({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        tuple(str(value) if isinstance(value, TaskState) else value for value in msgspec.structs.astuple(task)),
    )


def beat(task: Task, *, progress: int, updated: int, until: int) -> Statement:
    """Report and keep the lease; returns a row unless the task is no longer its owner's."""
    return Statement(
        "update tasks set progress = ?, updated = ?, until = ? where id = ? and owner = ? and state = 'running' "
        "returning 1",
        (progress, updated, until, task.id, task.owner),
    )


def finish(task: Task, *, result: str, progress: int, updated: int) -> Statement:
    """The task is done, in the transaction that does it. Raises TaskTakenOver when it is not its owner's any more."""
    return Statement(
        "update tasks set state = 'done', result = ?, progress = ?, updated = ? "
        "where id = ? and owner = ? and state = 'running'",
        (result, progress, updated, task.id, task.owner),
        rows=1,
        otherwise=TaskTakenOver(),
    )


def fail(task: Task, error: str, *, progress: int, updated: int) -> Statement:
    """The task failed. Nothing happens when it is no longer its owner's."""
    return Statement(
        "update tasks set state = 'failed', error = ?, progress = ?, updated = ? "
        "where id = ? and owner = ? and state = 'running'",
        (error, progress, updated, task.id, task.owner),
    )


def cancel(task: Task, *, updated: int) -> Statement:
    """Take a running task from its owner; returns a row if it was running."""
    return Statement(
        "update tasks set state = 'canceled', error = 'Canceled', updated = ? where id = ? and state = 'running' "
        "returning 1",
        (updated, task.id),
    )


def release(task: Task) -> Statement:
    """Let another process take the task over at once."""
    return Statement(
        "update tasks set until = 0 where id = ? and owner = ? and state = 'running'", (task.id, task.owner)
    )


def take_over(task: Task, *, owner: str, until: int) -> Statement:
    """Become the owner of an abandoned task, as it was seen; returns a row if nobody was faster."""
    return Statement(
        "update tasks set owner = ?, until = ?, attempts = attempts + 1 "
        "where id = ? and owner = ? and until = ? and state = 'running' returning 1",
        (owner, until, task.id, task.owner, task.until),
    )


def forget_old(*, before: int) -> Statement:
    """Remove tasks that ended before `before` (milliseconds)."""
    return Statement("delete from tasks where state <> 'running' and updated < ?", (before,))


def forget_all(repository: RepositoryId) -> Statement:
    """Remove the tasks of a repository; those that run end at their next report."""
    return Statement("delete from tasks where repository = ?", (repository,))

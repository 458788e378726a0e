# SPDX-License-Identifier: Apache-2.0
"""Tasks: work that outlives the request that asked for it, with progress, cancel and another try elsewhere.

A task is a row with a lease. Its work runs beside the requests of one process, which reports every second; when that
process dies, another one begins the work again, a few times. What the work does for good is done in the transaction
that marks the task as done, so that it happens once, and never after a cancel that was acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lakehouse.core.errors import LakehouseError, TaskTakenOver
from lakehouse.core.ids import RepositoryId
from lakehouse.meta import tasks
from lakehouse.meta.tasks import Task, TaskState
from lakehouse.telemetry.counts import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from lakehouse.core.clock import Clock
    from lakehouse.db.port import Database
    from lakehouse.db.statement import Statement

LEASE = 60
"""Seconds without a report after which another process may begin the work again."""
PAUSE = 1.0
"""Seconds between reports."""
ATTEMPTS = 3
KEPT = 86_400
"""Seconds for which an ended task can be asked for."""
LOST = "Task status expired: the server that ran it is no longer there and it was tried too often; retry"
logger = logging.getLogger(__name__)


class Handle:
    """A task for the work that runs for it: count `progress`, and `finish` it."""

    def __init__(self, db: Database, clock: Clock, task: Task) -> None:
        self._db = db
        self._clock = clock
        self.task = task
        self.progress = 0

    def finished(self, result: msgspec.Struct) -> Statement:
        """What to add to the transaction that does the work for good. Raises TaskTakenOver there."""
        encoded = msgspec.json.encode(result).decode()
        return tasks.finish(self.task, result=encoded, progress=self.progress, updated=milliseconds(self._clock))

    async def finish(self, result: msgspec.Struct) -> None:
        """The same as a transaction of its own."""
        await self._db.apply(self.finished(result))

    async def fail(self, message: str) -> None:
        """The task failed. Nothing happens when it is no longer ours."""
        await self._db.apply(tasks.fail(self.task, message, progress=self.progress, updated=milliseconds(self._clock)))

    async def release(self) -> None:
        """Let another process begin again at once."""
        await self._db.apply(tasks.release(self.task))

    async def report(self) -> bool:
        """Keep the lease and tell the progress; whether the task is still ours."""
        now = self._clock()
        beat = tasks.beat(self.task, progress=self.progress, updated=milliseconds(self._clock), until=int(now) + LEASE)
        return bool((await self._db.apply(beat))[0])


Work: TypeAlias = "Callable[[Handle], Coroutine[Any, Any, None]]"
"""Does the work of a task and finishes its handle. A LakehouseError is the task's error. It may begin anew."""


class NewTask(msgspec.Struct, frozen=True):
    """What a task is for. `request` and `actor` are written down as JSON, for whoever goes on with it."""

    id: str
    kind: str
    repository: RepositoryId
    branch: str
    request: msgspec.Struct
    actor: msgspec.Struct


class Tasks:
    """The tasks that run in this process."""

    def __init__(self) -> None:
        self._owner = uuid.uuid4().hex
        self._running: dict[str, asyncio.Task[None]] = {}
        self._handles: dict[str, Handle] = {}
        self.counts = Counts()
        """How they ended: `KIND done`, `KIND failed` and `KIND left` to another process, or canceled."""

    @property
    def running(self) -> int:
        """How many run now."""
        return len(self._running)

    async def start(self, db: Database, clock: Clock, wanted: NewTask, work: Work) -> None:
        """Add a task and begin it."""
        now = int(clock())
        row = Task(
            id=wanted.id,
            repository=wanted.repository,
            branch=wanted.branch,
            kind=wanted.kind,
            state=TaskState.RUNNING,
            request=msgspec.json.encode(wanted.request).decode(),
            actor=msgspec.json.encode(wanted.actor).decode(),
            progress=0,
            result=None,
            error=None,
            created=now,
            updated=milliseconds(clock),
            owner=self._owner,
            until=now + LEASE,
            attempts=1,
        )
        await db.apply(tasks.forget_old(before=(now - KEPT) * 1000), tasks.insert(row))
        self._run(Handle(db, clock, row), work)

    async def resume(self, db: Database, clock: Clock, works: Mapping[str, Work]) -> int:
        """Begin abandoned tasks again, or give them up; how many were taken. Any process may call it at any time."""
        taken = 0
        for seen in await tasks.abandoned(db, now=int(clock())):
            until = int(clock()) + LEASE
            if not (await db.apply(tasks.take_over(seen, owner=self._owner, until=until)))[0]:
                continue
            taken += 1
            mine = msgspec.structs.replace(seen, owner=self._owner, until=until, attempts=seen.attempts + 1)
            handle = Handle(db, clock, mine)
            work = works.get(mine.kind)
            if work is None or mine.attempts > ATTEMPTS:
                await handle.fail(LOST)
            else:
                self._run(handle, work)
        return taken

    async def stop(self) -> None:
        """Break off what runs, for another process, or the next start, to begin again."""
        while self._running:
            handles = [self._handles[name] for name in self._running]
            for running in self._running.values():
                running.cancel()
            await asyncio.wait(self._running.values())
            for handle in handles:
                await handle.release()

    async def wait(self, task: str) -> None:
        """Wait until a task does not run here any more."""
        running = self._running.get(task)
        if running is not None:
            await asyncio.wait([running])

    def interrupt(self, task: str) -> None:
        """Break off the work of a task that is canceled, if it runs here."""
        running = self._running.get(task)
        if running is not None:
            running.cancel()

    def _run(self, handle: Handle, work: Work) -> None:
        running = asyncio.get_running_loop().create_task(self._supervise(handle, work))
        name = handle.task.id
        self._running[name], self._handles[name] = running, handle
        running.add_done_callback(lambda _: self._forget(name))

    def _forget(self, name: str) -> None:
        del self._running[name], self._handles[name]

    async def _supervise(self, handle: Handle, work: Work) -> None:
        reporter = asyncio.get_running_loop().create_task(self._report(handle))
        outcome = "failed"
        try:
            await work(handle)
            outcome = "done"
        except TaskTakenOver:
            outcome = "left"
            logger.info("task %s went on elsewhere, or was canceled", handle.task.id)
        except LakehouseError as error:
            outcome = "failed"
            await handle.fail(error.message)
        except asyncio.CancelledError:
            outcome = "left"
            raise
        except Exception:
            outcome = "failed"
            logger.exception("task %s failed", handle.task.id)
            await handle.fail(f"internal error; the server's log has it as task {handle.task.id}")
        finally:
            self.counts.add(f"{handle.task.kind} {outcome}")
            reporter.cancel()

    async def _report(self, handle: Handle) -> None:
        """Report every `PAUSE` seconds; break the work off when the task is no longer ours."""
        while True:
            await asyncio.sleep(PAUSE)
            try:
                if not await handle.report():
                    self.interrupt(handle.task.id)
                    return
            except LakehouseError as error:
                logger.warning("task %s cannot report: %s", handle.task.id, error)


def milliseconds(clock: Clock) -> int:
    """Milliseconds since 1970."""
    return int(clock() * 1000)

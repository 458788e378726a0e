# SPDX-License-Identifier: Apache-2.0
"""Tasks: a lease, another try, a cancel that holds, an end that happens once."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from lakehouse.core.errors import NoChanges, TaskNotFound, TaskTakenOver
from lakehouse.meta.tasks import TaskState
from lakehouse.versioning import resolve
from lakehouse.versioning.state.tasks import ATTEMPTS, KEPT, LEASE, NewTask, Tasks
from lakehouse.versioning.work import working
from tests.lakes import ANN

pytestmark = pytest.mark.anyio


class Note(msgspec.Struct):
    text: str


@pytest.fixture
async def start(lake, repo):
    found = await resolve.repository(lake, repo)

    async def begin(work, name="t"):
        await working.start_task(lake, NewTask(name, "kind", found.id, "main", Note("asked"), ANN), work)

    yield begin
    await lake.tasks.stop()


async def state(lake, repo, name="t"):
    return await working.find_task(lake, await resolve.repository(lake, repo), name, "kind")


async def done(lake, handle):
    handle.progress = 7
    await handle.finish(Note(msgspec.json.decode(handle.task.request, type=Note).text))


async def never(lake, handle):
    await asyncio.Event().wait()


async def test_work_ends(lake, repo, start) -> None:
    await start(done)
    await lake.tasks.wait("t")
    found = await state(lake, repo)
    assert (found.state, found.progress, found.result) == (TaskState.DONE, 7, '{"text":"asked"}')
    with pytest.raises(TaskNotFound):
        await working.find_task(lake, await resolve.repository(lake, repo), "t", "other")


async def test_work_fails(lake, repo, start, caplog) -> None:
    async def refused(lake, handle):
        raise NoChanges

    async def broken(lake, handle):
        raise ZeroDivisionError("a detail")

    await start(refused)
    await start(broken, "b")
    await lake.tasks.wait("t")
    await lake.tasks.wait("b")
    assert (await state(lake, repo)).error == "no changes"
    found = await state(lake, repo, "b")
    assert found.state is TaskState.FAILED
    assert "a detail" not in found.error


async def test_a_cancel_holds(lake, repo, start) -> None:
    go, refused = asyncio.Event(), []

    async def stubborn(lake, handle):
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue
        try:
            await handle.finish(Note("x"))
        except TaskTakenOver:
            refused.append(True)
            raise

    await start(stubborn)
    await asyncio.sleep(0)
    assert await working.cancel_task(lake, await state(lake, repo))
    go.set()
    await lake.tasks.wait("t")
    assert refused == [True]
    assert (await state(lake, repo)).state is TaskState.CANCELED
    assert await working.cancel_task(lake, await state(lake, repo))
    await start(done, "d")
    await lake.tasks.wait("d")
    assert not await working.cancel_task(lake, await state(lake, repo, "d"))


async def test_another_process_goes_on(lake, repo, start, clock) -> None:
    await start(never)
    other = msgspec.structs.replace(lake, tasks=Tasks())
    assert await working.resume_tasks(other, {"kind": done}) == 0
    clock.now += LEASE + 1
    assert await working.resume_tasks(other, {"kind": done}) == 1
    await other.tasks.wait("t")
    assert (await state(lake, repo)).state is TaskState.DONE


async def test_only_one_goes_on(lake, repo, start, clock) -> None:
    await start(never)
    clock.now += LEASE + 1
    others = [msgspec.structs.replace(lake, tasks=Tasks()) for _ in range(3)]
    taken = await asyncio.gather(*[working.resume_tasks(other, {"kind": done}) for other in others])
    assert sum(taken) == 1
    for other in others:
        await other.tasks.stop()


async def test_a_stopped_process_leaves_its_tasks_at_once(lake, repo, start) -> None:
    await start(never)
    await lake.tasks.stop()
    assert (await state(lake, repo)).until == 0
    other = msgspec.structs.replace(lake, tasks=Tasks())
    assert await working.resume_tasks(other, {"kind": done}) == 1
    await other.tasks.wait("t")


async def test_after_some_tries_it_is_given_up(lake, repo, start, clock) -> None:
    await start(never)
    for _ in range(ATTEMPTS):
        clock.now += LEASE + 1
        other = msgspec.structs.replace(lake, tasks=Tasks())
        await working.resume_tasks(other, {"kind": never})
    found = await state(lake, repo)
    assert found.state is TaskState.FAILED
    assert "expired" in found.error


async def test_who_lost_a_task_stops(lake, repo, start, clock) -> None:
    handles = []

    async def lasting(lake, handle):
        handles.append(handle)
        await asyncio.Event().wait()

    await start(lasting)
    await asyncio.sleep(0)
    assert await handles[0].report()
    clock.now += LEASE + 1
    other = msgspec.structs.replace(lake, tasks=Tasks())
    await working.resume_tasks(other, {"kind": never})
    assert not await handles[0].report()
    await other.tasks.stop()


async def test_old_tasks_are_forgotten(lake, repo, start, clock) -> None:
    await start(done)
    await lake.tasks.wait("t")
    clock.now += KEPT + 1
    await start(done, "u")
    with pytest.raises(TaskNotFound):
        await state(lake, repo)

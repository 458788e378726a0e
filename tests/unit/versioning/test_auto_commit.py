# SPDX-License-Identifier: Apache-2.0
"""Automatic commits: which branches, when, and what they leave alone."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from lakehouse.core.errors import HookFailed
from lakehouse.meta import leases
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact
from lakehouse.versioning.objects import objects
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository, update_metadata
from lakehouse.versioning.state.events import NoHooks
from lakehouse.versioning.work import auto_commit
from lakehouse.versioning.work.auto_commit import MARK, Schedule, commit_what_waits
from tests.lakes import commit_all, put

pytestmark = pytest.mark.anyio

MINUTES = Schedule(every=600)


async def marked(lake, name):
    await create_repository(lake, RepositoryRequest(name=name))
    await update_metadata(lake, name, put={MARK: "true"})
    return name


async def head(lake, name):
    _, branch = await resolve.branch(lake, name, "main")
    return branch.commit_id


async def message(lake, name):
    _, commit = await resolve.commit(lake, name, "main")
    return commit.message


async def test_changes_are_committed_when_the_head_is_old_enough(lake, clock) -> None:
    name = await marked(lake, "bucket")
    await put(lake, name, "main", a="1")
    clock.now += 599
    assert await commit_what_waits(lake, MINUTES) == 0
    clock.now += 1
    assert await commit_what_waits(lake, MINUTES) == 1
    assert await message(lake, name) == "Automatic commit"
    _, found = await resolve.commit(lake, name, "main")
    assert (found.committer, found.metadata) == ("lakehouse", {})
    await put(lake, name, "main", b="1")
    clock.now += 599
    assert await commit_what_waits(lake, MINUTES) == 0
    clock.now += 1
    assert await commit_what_waits(lake, MINUTES) == 1


async def test_only_marked_repositories_and_only_with_changes(lake, repo, clock) -> None:
    name, clean = await marked(lake, "bucket"), await marked(lake, "clean")
    off = await marked(lake, "offed")
    await update_metadata(lake, off, put={MARK: "false", "other": MARK + '":"true'})
    for one in (repo, name, off):
        await put(lake, one, "main", a="1")
    before = [await head(lake, one) for one in (repo, clean, off)]
    clock.now += 601
    assert await commit_what_waits(lake, MINUTES) == 1
    assert [await head(lake, one) for one in (repo, clean, off)] == before
    assert await message(lake, name) == "Automatic commit"


async def test_a_number_of_changes_is_enough(lake) -> None:
    name = await marked(lake, "bucket")
    three = Schedule(changes=3)
    await put(lake, name, "main", a="1", b="1")
    await put(lake, name, "main", a="2")
    assert await commit_what_waits(lake, three) == 0
    await objects.delete_object(lake, name, "main", b"c")
    await put(lake, name, "main", d="1")
    assert await commit_what_waits(lake, three) == 1
    assert await commit_what_waits(lake, three) == 0


async def test_what_is_folded_counts_as_enough(lake) -> None:
    name = await marked(lake, "bucket")
    await put(lake, name, "main", a="1")
    _, branch = await resolve.branch(lake, name, "main")
    assert await compact.compact(lake, name, branch, anyway=True)
    assert await commit_what_waits(lake, Schedule(changes=1000)) == 1


async def test_changes_that_change_nothing_are_left(lake, clock) -> None:
    name = await marked(lake, "bucket")
    await put(lake, name, "main", a="1")
    await commit_all(lake, name, "main")
    before = await head(lake, name)
    await put(lake, name, "main", a="1")
    clock.now += 601
    assert await commit_what_waits(lake, MINUTES) == 0
    assert await head(lake, name) == before


async def test_many_repositories_are_all_reached(lake, clock, monkeypatch) -> None:
    monkeypatch.setattr("lakehouse.meta.waiting.PAGE", 2)
    for number in range(5):
        await put(lake, await marked(lake, f"bucket-{number}"), "main", a="1")
    clock.now += 601
    assert await commit_what_waits(lake, MINUTES) == 5


class Refusing(NoHooks):
    def watch(self, repository, actor):
        if repository.name == "bucket-1":
            raise HookFailed("not now")
        return super().watch(repository, actor)


async def test_one_that_cannot_be_committed_does_not_stop_the_others(lake, clock, caplog) -> None:
    for number in range(3):
        await put(lake, await marked(lake, f"bucket-{number}"), "main", a="1")
    clock.now += 601
    watched = msgspec.structs.replace(lake, hooks=Refusing())
    assert await commit_what_waits(watched, MINUTES) == 2
    assert "bucket-1" in caplog.text
    assert "not now" in caplog.text


async def test_nothing_is_asked_for_by_an_empty_schedule(lake, clock) -> None:
    name = await marked(lake, "bucket")
    await put(lake, name, "main", a="1")
    clock.now += 10_000
    assert not Schedule()
    assert await commit_what_waits(lake, Schedule()) == 0


async def test_one_process_does_it(lake, clock, monkeypatch) -> None:
    """Whoever does not hold the lease looks at nothing."""
    monkeypatch.setattr(auto_commit, "PAUSE", 0.001)
    name = await marked(lake, "bucket")
    await put(lake, name, "main", a="1")
    clock.now += 601
    now = lake.now
    await lake.db.apply(leases.claim(auto_commit.LEASE, "another", now=now, until=now + 100))
    looked = asyncio.Event()
    real = leases.holder

    async def holder(*arguments, **options):
        looked.set()
        return await real(*arguments, **options)

    monkeypatch.setattr(leases, "holder", holder)
    running = asyncio.get_running_loop().create_task(auto_commit.commit_for_ever(lake, MINUTES))
    before = await head(lake, name)
    for _ in range(3):
        looked.clear()
        await looked.wait()
    assert await head(lake, name) == before
    await lake.db.apply(leases.release(auto_commit.LEASE, "another"))
    while await head(lake, name) == before:
        looked.clear()
        await looked.wait()
    running.cancel()

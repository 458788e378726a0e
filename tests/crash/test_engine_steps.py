# SPDX-License-Identifier: Apache-2.0
"""Every operation, cut off before and after every call of a port: the lake shows the old state or the new one.

Nothing that was acknowledged is lost, everything works on the same file and store, a repeat succeeds, and once the
sweeper has been, no staged row is left that nobody shows.
"""

from __future__ import annotations

import shutil
from contextlib import suppress

import pytest

from lakehouse.core.errors import (
    BranchNotFound,
    NoChanges,
    NotFound,
    ObjectNotFound,
    PreconditionFailed,
    RepositoryExists,
    RepositoryInDeletion,
    RepositoryNotFound,
)
from lakehouse.core.paths import parse_path
from lakehouse.meta import refs
from lakehouse.objects.memory import MemoryStore
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact, merge, reset
from lakehouse.versioning.objects import batches, objects, prefixes, staging
from lakehouse.versioning.refs import branches, repositories
from lakehouse.versioning.refs.repositories import RepositoryRequest
from lakehouse.versioning.staged import fold
from lakehouse.versioning.state.turns import LEASE
from lakehouse.versioning.work import sweeping
from tests.crash.ports import Died, DyingDatabase, DyingStore, Fuse
from tests.lakes import ANN, Hands, by_column, commit_all, lake_on, link, open_lake, put, seal, shown

pytestmark = pytest.mark.anyio
OLD = {"kept": "c0", "gone": "c0"}
BEFORE = {"kept": "c0", "staged": "s1"}


async def prepare(lake):
    """`main` with a commit and uncommitted changes, and `clean`, one commit ahead of it, without any."""
    await repositories.create_repository(lake, RepositoryRequest("lakes"))
    await put(lake, "lakes", "main", **OLD)
    await commit_all(lake, "lakes", "main")
    await branches.create_branch(lake, "lakes", "clean", source="main", actor=ANN)
    await branches.create_branch(lake, "lakes", "ahead", source="main", actor=ANN)
    await put(lake, "lakes", "ahead", new="n1")
    await commit_all(lake, "lakes", "ahead")
    await branches.create_branch(lake, "lakes", "many", source="main", actor=ANN)
    for number in range(5):  # five sealed areas, each over the one before
        await put(lake, "lakes", "many", f=f"f{number}", **{f"g{number}": "g"})
        if number:
            await objects.delete_object(lake, "lakes", "many", parse_path(f"g{number - 1}"))
        _, branch = await resolve.branch(lake, "lakes", "many")
        await lake.db.apply(refs.seal(branch.id, 1000 + number))
    await link(lake, "lakes", "main", "staged", "s1")
    await objects.delete_object(lake, "lakes", "main", parse_path("gone"))
    await branches.create_branch(lake, "lakes", "based", source="main", actor=ANN)
    await put(lake, "lakes", "based", staged="s0", below="b1")
    await compacts(lake)
    await put(lake, "lakes", "based", staged="s1")
    await objects.delete_object(lake, "lakes", "based", parse_path("gone"))


async def creates(lake):
    await repositories.create_repository(lake, RepositoryRequest("other", "mem://bucket/other/"))


async def creates_unplaced(lake):
    await repositories.create_repository(lake, RepositoryRequest("other"))


async def links(lake):
    await link(lake, "lakes", "main", "new", "n1")


async def links_if_absent(lake):
    await link(lake, "lakes", "main", "new", "n1", if_absent=True)


async def linked_batches(lake):
    paths = [parse_path(f"p/{number:04}") for number in range(1100)]
    where = [
        one async for page in await staging.get_physical_addresses(lake, "lakes", "main", paths) for _, one in page
    ]
    batch = await batches.open_batch(lake, "lakes", "main", atomic=True)
    wanted = [
        staging.Link(path=path, physical_address=at.physical_address, checksum="b", size=1)
        for path, at in zip(paths, where, strict=True)
    ]
    await batch.add(by_column(wanted))
    await batch.finish()


async def uploads(lake):
    await objects.upload_object(lake, "lakes", "main", objects.Upload(parse_path("new")), b"new")


async def copies(lake):
    await objects.upload_object(lake, "lakes", "clean", objects.Upload(parse_path("from")), b"new")
    await objects.copy_object(
        lake, "lakes", "main", parse_path("new"), source_ref="clean", source_path=parse_path("from")
    )


async def copies_prefix(lake):
    request = prefixes.PrefixRequest(b"k", b"copy/k")
    await prefixes.copy_prefix(lake, "lakes", "main", request, allow=lambda source, target: None)


async def moves_prefix(lake):
    with suppress(ObjectNotFound):
        request = prefixes.PrefixRequest(b"kept", b"moved/kept")
        await prefixes.move_prefix(lake, "lakes", "main", request, allow=lambda source, target: None)


async def moves_prefix_over_base(lake):
    with suppress(ObjectNotFound):
        request = prefixes.PrefixRequest(b"below", b"moved/below")
        await prefixes.move_prefix(lake, "lakes", "based", request, allow=lambda source, target: None)


async def commits(lake):
    await commit_all(lake, "lakes", "main")


async def merges(lake):
    await merge.merge_into_branch(lake, "lakes", "ahead", "clean", merge.MergeRequest(), ANN)


async def resets(lake):
    await reset.reset_branch(lake, "lakes", "main")


async def resets_prefix_over_sealed(lake):
    await seal(lake, "lakes", "main")
    await reset.reset_prefix(lake, "lakes", "main", b"")


async def hard_resets(lake):
    await reset.hard_reset_branch(lake, "lakes", "clean", ref="ahead", actor=ANN)


async def folds(lake):
    _, branch = await resolve.branch(lake, "lakes", "many")
    await fold.fold(lake, "lakes", branch)


async def compacts(lake):
    _, branch = await resolve.branch(lake, "lakes", "based")
    await compact.compact(lake, "lakes", branch, anyway=True)


async def commits_base(lake):
    await commit_all(lake, "lakes", "based")


async def resets_base(lake):
    await reset.reset_branch(lake, "lakes", "based")


async def resets_prefix_over_base(lake):
    await reset.reset_prefix(lake, "lakes", "based", b"")


async def hard_resets_base(lake):
    await reset.hard_reset_branch(lake, "lakes", "based", ref="ahead", actor=ANN)


async def deletes_branch(lake):
    with suppress(BranchNotFound):
        await branches.delete_branch(lake, "lakes", "clean")


async def deletes_repository(lake):
    with suppress(RepositoryNotFound):
        await repositories.delete_repository(lake, "lakes", force=False)


MANY = {f"p/{number:04}": "b" for number in range(1100)}
UPLOADED = BEFORE | {"new": "22af645d1859cb5ca6da0c484f1f37ea"}
# What an operation works on, and what that may show when it was cut off: old state or new.
SAME = [BEFORE]
BASED = BEFORE | {"below": "b1"}
CASES = {
    creates: ("lakes", "main", SAME),
    creates_unplaced: ("lakes", "main", SAME),
    links: ("lakes", "main", [BEFORE, BEFORE | {"new": "n1"}]),
    links_if_absent: ("lakes", "main", [BEFORE, BEFORE | {"new": "n1"}]),
    linked_batches: ("lakes", "main", [BEFORE, BEFORE | MANY]),
    uploads: ("lakes", "main", [BEFORE, UPLOADED]),
    copies: ("lakes", "main", [BEFORE, UPLOADED]),
    copies_prefix: ("lakes", "main", [BEFORE, BEFORE | {"copy/kept": "c0"}]),
    moves_prefix: ("lakes", "main", [BEFORE, {"moved/kept": "c0", "staged": "s1"}]),
    moves_prefix_over_base: ("lakes", "based", [BASED, BEFORE | {"moved/below": "b1"}]),
    commits: ("lakes", "main", SAME),
    merges: ("lakes", "clean", [OLD, OLD | {"new": "n1"}]),
    resets: ("lakes", "main", [BEFORE, OLD]),
    resets_prefix_over_sealed: ("lakes", "main", [BEFORE, OLD]),
    hard_resets: ("lakes", "clean", [OLD, OLD | {"new": "n1"}]),
    folds: ("lakes", "many", [OLD | {"f": "f4", "g4": "g"}]),
    compacts: ("lakes", "based", [BASED]),
    commits_base: ("lakes", "based", [BASED]),
    resets_base: ("lakes", "based", [BASED, OLD]),
    resets_prefix_over_base: ("lakes", "based", [BASED, OLD]),
    hard_resets_base: ("lakes", "based", [BASED, BASED | {"new": "n1"}]),
    deletes_branch: ("lakes", "clean", [OLD, None]),
    deletes_repository: ("lakes", "main", [BEFORE, None]),
}


async def run_dying(path, store, clock, operation, fuse):
    """Run it on ports with this fuse; whether it lived. What it left in the background dies too."""
    healthy = await open_lake(path, objects=store, clock=clock)
    lake = lake_on(DyingDatabase(healthy.db, fuse), DyingStore(store, fuse), clock)
    try:
        await operation(lake)
    except Died:
        pass
    except BaseExceptionGroup as errors:  # several calls at the same time
        if errors.split(Died)[1] is not None:
            raise
    for task in list(lake.background._tasks):
        with suppress(Died):
            await task
    await healthy.db.close()
    return not fuse.blown


async def require_sound(lake, operation, clock):
    """The state is old or new, everything works, the operation can be repeated, and nothing is left over."""
    repo, branch, states = CASES[operation]
    assert await state_of(lake, repo, branch) in states
    with suppress(RepositoryExists, PreconditionFailed, NoChanges):  # it was done after all
        await operation(lake)
    assert await state_of(lake, repo, branch) == states[-1]
    if operation in (creates, creates_unplaced):
        await link(lake, "other", "main", "x", "x1")
        await commit_all(lake, "other", "main")
        assert await shown(lake, "other", "main@") == {"x": "x1"}
        page = await repositories.list_repositories(lake, prefix="", after="", search="", amount=10)
        assert [one.name for one in page.items] == ["lakes", "other"]
    if states[-1] is not None:
        await link(lake, repo, branch, "later", "l1")
        await commit_all(lake, repo, branch)
        assert await shown(lake, repo, branch + "@") == states[-1] | {"later": "l1"}
    await lake.background.drain()
    clock.now += 90_000
    await sweeping.sweep(lake)
    lost = await lake.db.all(
        "select count(*) from staged where token not in (select staging_token from refs where kind = 0) "
        "and not exists (select 1 from refs where ',' || sealed like '%,' || staged.token || ',%')"
    )
    assert lost == [(0,)]
    assert await lake.db.all("select token from dropped") == []


async def state_of(lake, repo, branch):
    try:
        return await shown(lake, repo, branch)
    except (NotFound, RepositoryInDeletion):
        return None


@pytest.mark.parametrize("operation", CASES, ids=lambda operation: operation.__name__)
async def test_cut_off_at_every_call(tmp_path, operation):
    prepared, clock, store = tmp_path / "prepared.sqlite", Hands(), MemoryStore()
    lake = await open_lake(prepared, objects=store, clock=clock)
    await prepare(lake)
    await lake.background.drain()
    await lake.db.close()

    def again(name):
        shutil.copy(prepared, tmp_path / name)
        copied = MemoryStore()
        copied._objects.update(store._objects)
        copied._keys.update({bucket: list(keys) for bucket, keys in store._keys.items()})
        return tmp_path / name, copied, Hands()

    counting = Fuse()
    assert await run_dying(*again("count.sqlite"), operation, counting)
    assert counting.calls >= 2
    died = 0
    for at in range(1, counting.calls + 1):
        for after in (False, True):
            path, copied, clock = again(f"{at}-{after}.sqlite")
            died += not await run_dying(path, copied, clock, operation, Fuse(at, after=after))
            clock.now += LEASE + 1  # nobody waits for the dead any more
            lake = await open_lake(path, objects=copied, clock=clock)
            await require_sound(lake, operation, clock)
            await lake.db.close()
    assert died == 2 * counting.calls


async def test_failed_commit_then_crash_then_commit(tmp_path):
    """What a commit sealed before it died goes into the next commit."""
    path, store, clock = tmp_path / "m.sqlite", MemoryStore(), Hands()
    lake = await open_lake(path, objects=store, clock=clock)
    await prepare(lake)
    await seal(lake, "lakes", "main")
    await lake.background.drain()
    await lake.db.close()
    lake = await open_lake(path, objects=store, clock=clock)
    await commit_all(lake, "lakes", "main")
    assert await shown(lake, "lakes", "main@") == BEFORE
    with pytest.raises(NoChanges):
        await commit_all(lake, "lakes", "main")
    await lake.background.drain()
    await lake.db.close()

# SPDX-License-Identifier: Apache-2.0
"""Copying and moving prefixes: what arrives, what protects, what happens beside it."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from lakehouse.core.errors import (
    BranchNotFound,
    InsufficientPermissions,
    InvalidArgument,
    InvalidPath,
    MissingValue,
    ObjectNotFound,
    PreconditionFailed,
    ProtectedBranch,
)
from lakehouse.meta import staging as rows
from lakehouse.versioning import protection, resolve
from lakehouse.versioning.commits import compact, merge
from lakehouse.versioning.objects import listing, objects, prefixes
from lakehouse.versioning.objects.prefixes import PrefixRequest
from lakehouse.versioning.refs import branches
from tests.lakes import ANN, changes, commit_all, error_of, link, seal, shown
from tests.unit.tree.forest import entry

pytestmark = pytest.mark.anyio


def anything(source, target):
    """Nothing is forbidden."""


async def copy(lake, repo, source, target, *, allow=anything, branch="main", **more):
    request = PrefixRequest(source.encode(), target.encode(), **more)
    found = await prefixes.copy_prefix(lake, repo, branch, request, allow=allow)
    return found.objects, found.bytes


async def move(lake, repo, source, target, *, allow=anything, branch="main", **more):
    request = PrefixRequest(source.encode(), target.encode(), **more)
    found = await prefixes.move_prefix(lake, repo, branch, request, allow=allow)
    return found.objects, found.bytes


@pytest.fixture(params=["rows", "base"])
async def some(lake, repo, request):
    """Committed a/1 a/2 a/x/3 ab b/1; staged and sealed (or folded) a/2 again; staged a/4; a/1 is deleted."""
    for path in ("a/1", "a/2", "a/x/3", "ab", "b/1"):
        await link(lake, repo, "main", path, path, size=10)
    await commit_all(lake, repo, "main")
    await link(lake, repo, "main", "a/2", "new")
    if request.param == "base":
        await compact.compact(lake, repo, (await resolve.branch(lake, repo, "main"))[1], anyway=True)
    else:
        await seal(lake, repo, "main")
    await link(lake, repo, "main", "a/4", "a/4")
    await objects.delete_object(lake, repo, "main", b"a/1")


async def test_a_copy_shows_what_was_shown(lake, repo, some):
    assert await copy(lake, repo, "a/", "c/") == (3, 16)
    expected = {"a/2": "new", "a/4": "a/4", "a/x/3": "a/x/3", "ab": "ab", "b/1": "b/1"}
    expected |= {"c/2": "new", "c/4": "a/4", "c/x/3": "a/x/3"}
    assert await shown(lake, repo, "main") == expected
    await commit_all(lake, repo, "main")
    assert await shown(lake, repo, "main@") == expected


async def test_a_copy_shares_bytes_and_time(lake, repo, some, clock):
    clock.now += 100
    await copy(lake, repo, "a/x/", "c/")
    one = await objects.stat_object(lake, repo, "main", b"a/x/3")
    other = await objects.stat_object(lake, repo, "main", b"c/3")
    assert one.entry == other.entry
    assert one.uri == other.uri


async def test_a_move(lake, repo, some):
    assert await move(lake, repo, "a/", "c/d/") == (3, 16)
    expected = {"ab": "ab", "b/1": "b/1", "c/d/2": "new", "c/d/4": "a/4", "c/d/x/3": "a/x/3"}
    assert await shown(lake, repo, "main") == expected
    assert await changes(lake, repo, "main") == {
        "a/1": "removed",
        "a/2": "removed",
        "a/x/3": "removed",
        "c/d/2": "added",
        "c/d/4": "added",
        "c/d/x/3": "added",
    }
    await commit_all(lake, repo, "main")
    assert await shown(lake, repo, "main@") == expected
    assert await move(lake, repo, "c/d/", "a/") == (3, 16)
    await commit_all(lake, repo, "main")
    assert await shown(lake, repo, "main") == {"a/2": "new", "a/4": "a/4", "a/x/3": "a/x/3", "ab": "ab", "b/1": "b/1"}


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("a/", "a/b/", {"a/b/1": "1", "a/b/b/1": "b1", "a/b/b/2": "b2"}),
        ("a/b/", "a/", {"a/1": "b1", "a/2": "b2"}),
        ("a", "", {"/1": "1", "/b/1": "b1", "/b/2": "b2"}),
        ("", "top-", {"top-a/1": "1", "top-a/b/1": "b1", "top-a/b/2": "b2"}),
        ("a/b/1", "a/b/3", {"a/1": "1", "a/b/2": "b2", "a/b/3": "b1"}),
    ],
)
async def test_prefixes_within_each_other(lake, repo, source, target, expected):
    for path, content in {"a/1": "1", "a/b/1": "b1", "a/b/2": "b2"}.items():
        await link(lake, repo, "main", path, content)
    await commit_all(lake, repo, "main")
    await move(lake, repo, source, target, overwrite=source == "a/b/")
    assert await shown(lake, repo, "main") == expected


async def test_a_copy_from_any_ref(lake, repo, some):
    await branches.create_branch(lake, repo, "dev", source="main", actor=ANN)
    await link(lake, repo, "dev", "a/5", "five")
    assert await copy(lake, repo, "a/", "old/", source_ref="main@") == (3, 30)
    assert await copy(lake, repo, "a/", "dev/", source_ref="dev") == (4, 33)
    assert await copy(lake, repo, "a/", "same/", source_ref="main$") == (3, 16)
    assert await shown(lake, repo, "main", prefix=b"old/") == {"old/1": "a/1", "old/2": "a/2", "old/x/3": "a/x/3"}
    assert (await shown(lake, repo, "main", prefix=b"dev/"))["dev/5"] == "five"
    assert set(await shown(lake, repo, "main", prefix=b"same/")) == {"same/2", "same/4", "same/x/3"}
    await copy(lake, repo, "a/", "a/", source_ref="main@", overwrite=True)
    assert (await shown(lake, repo, "main", prefix=b"a/"))["a/2"] == "a/2", "a prefix is brought back"


async def test_nothing_is_overwritten_unless_asked(lake, repo, some):
    before = await shown(lake, repo, "main")
    for path in ("c/2", "c/x/3"):
        await link(lake, repo, "main", path, "mine")
        for work in (copy, move):
            with pytest.raises(PreconditionFailed, match=f"path {path} already exists"):
                await work(lake, repo, "a/", "c/")
        await objects.delete_object(lake, repo, "main", path.encode())
    assert await shown(lake, repo, "main") == before
    await link(lake, repo, "main", "c/2", "mine")
    await commit_all(lake, repo, "main")
    with pytest.raises(PreconditionFailed):
        await move(lake, repo, "a/", "c/")
    await move(lake, repo, "a/", "c/", overwrite=True)
    assert (await shown(lake, repo, "main", prefix=b"c/"))["c/2"] == "new"


async def test_what_is_refused_leaves_no_row_behind(lake, repo, some, clock):
    before = await shown(lake, repo, "main")

    def forbidden(source, target):
        if target == b"c/x/3":
            raise InsufficientPermissions

    for source, target, allow, error in [
        ("a/", "c/", forbidden, InsufficientPermissions),
        ("nothing/", "c/", anything, ObjectNotFound),
        ("a/2", "", anything, MissingValue),
        ("a/", "c" * 1022 + "/", anything, InvalidPath),
    ]:
        for work in (copy, move):
            assert await error_of(work(lake, repo, source, target, allow=allow)) is error
    assert await error_of(move(lake, repo, "a/", "a/")) is InvalidArgument
    assert await error_of(copy(lake, repo, "a/", "c/", branch="nowhere")) is BranchNotFound
    assert await shown(lake, repo, "main") == before
    clock.now += 1000
    while await rows.sweep(lake.db, before=int(clock.now)):
        pass
    [tokens] = await lake.db.all("select count(distinct token) from staged")
    assert tokens[0] <= 2, "the rows of the branch's own areas alone"
    assert await shown(lake, repo, "main") == before


async def test_protected_branches(lake, repo, some):
    await protection.set_rules(lake, await resolve.repository(lake, repo), ["main"], if_etag=None)
    assert await error_of(copy(lake, repo, "a/", "c/")) is ProtectedBranch


class Beside:
    """A database that does something else just before a prefix is published."""

    def __init__(self, db, work):
        self._db = db
        self._work = work

    def __getattr__(self, name):
        return getattr(self._db, name)

    async def apply(self, *statements):
        if self._work and any("p.path = s.path" in one.sql for one in statements):
            work, self._work = self._work, None
            await work()
        return await self._db.apply(*statements)


def beside(lake, work):
    return msgspec.structs.replace(lake, db=Beside(lake.db, work))


async def test_a_write_to_the_target_meanwhile_is_not_overwritten(lake, repo, some):
    async def write():
        await link(lake, repo, "main", "c/4", "mine", if_absent=True)

    with pytest.raises(PreconditionFailed):
        await copy(beside(lake, write), repo, "a/", "c/")
    assert await shown(lake, repo, "main", prefix=b"c/") == {"c/4": "mine"}


async def test_a_conditional_write_after_the_copy_sees_it(lake, repo, some):
    await copy(lake, repo, "a/", "c/")
    with pytest.raises(PreconditionFailed):
        await link(lake, repo, "main", "c/4", "mine", if_absent=True)


async def test_writes_meanwhile_are_newer_than_the_move(lake, repo, some):
    async def write():
        await link(lake, repo, "main", "a/2", "later")
        await link(lake, repo, "main", "a/9", "later")
        await link(lake, repo, "main", "c/9", "later")
        await objects.delete_object(lake, repo, "main", b"a/4")

    await move(beside(lake, write), repo, "a/", "c/")
    expected = {"a/2": "later", "a/9": "later", "c/2": "new", "c/4": "a/4", "c/9": "later", "c/x/3": "a/x/3"}
    assert await shown(lake, repo, "main") == expected | {"ab": "ab", "b/1": "b/1"}
    await commit_all(lake, repo, "main")
    assert await shown(lake, repo, "main@") == expected | {"ab": "ab", "b/1": "b/1"}


@pytest.mark.parametrize("how", ["seal", "merge"])
async def test_a_branch_that_moved_meanwhile_is_read_again(lake, repo, how):
    await link(lake, repo, "main", "a/1", "one")
    await commit_all(lake, repo, "main")
    await branches.create_branch(lake, repo, "dev", source="main", actor=ANN)
    await link(lake, repo, "dev", "a/2", "two")
    await commit_all(lake, repo, "dev")

    async def happen():
        if how == "seal":
            await link(lake, repo, "main", "a/2", "two")
            await seal(lake, repo, "main")
        else:  # as another process does it, which does not wait for this one's turn
            other = msgspec.structs.replace(lake, turns=type(lake.turns)())
            await merge.merge_into_branch(other, repo, "dev", "main", merge.MergeRequest(), ANN)

    assert (await move(beside(lake, happen), repo, "a/", "c/"))[0] == 2
    assert await shown(lake, repo, "main") == {"c/1": "one", "c/2": "two"}


async def test_many_are_one_change(lake, repo):
    """More rows than a transaction takes: nobody sees a part of them."""
    _, main = await resolve.branch(lake, repo, "main")
    for at in range(0, 2500, 500):
        many = [(b"a/%05d" % number, entry(2)) for number in range(at, at + 500)]
        await lake.db.apply(*rows.put_many(main.id, many))
    await commit_all(lake, repo, "main")
    seen = set()

    async def watch():
        while not done.is_set():
            _, page = await listing.list_objects(lake, repo, "main", listing.Query(amount=5000))
            seen.add((len(page.items), sum(item.path.startswith(b"b/") for item in page.items)))
            await asyncio.sleep(0)

    done = asyncio.Event()
    watching = asyncio.create_task(watch())
    assert await move(lake, repo, "a/", "b/") == (2500, 5000)
    done.set()
    await watching
    assert seen <= {(2500, 0), (2500, 2500)}
    assert len(await shown(lake, repo, "main", prefix=b"b/")) == 2500
    await commit_all(lake, repo, "main")
    assert len(await shown(lake, repo, "main@", prefix=b"b/")) == 2500
    assert await shown(lake, repo, "main@", prefix=b"a/") == {}


async def test_moves_beside_commits_lose_nothing(lake, repo):
    """Each object is at exactly one of two places after every mover and committer is done."""
    for number in range(20):
        await link(lake, repo, "main", f"p/{number}", str(number))

    async def swing(times):
        for turn in range(times):
            source, target = ("p/", "q/") if turn % 2 == 0 else ("q/", "p/")
            await move(lake, repo, source, target)

    async def commits():
        for number in range(6):
            await link(lake, repo, "main", f"other/{number}", "o")
            await error_of(commit_all(lake, repo, "main"))

    await asyncio.gather(swing(7), commits())
    found = await shown(lake, repo, "main")
    assert {path for path in found if not path.startswith("other/")} == {f"q/{number}" for number in range(20)}
    assert sum(path.startswith("other/") for path in found) == 6

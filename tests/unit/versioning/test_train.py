# SPDX-License-Identifier: Apache-2.0
"""Changes that wait for one branch land together, and nobody can tell: as if one had come after the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest

from lakehouse.core.errors import (
    BranchNotFound,
    DirtyBranch,
    InvalidArgument,
    MergeConflict,
    NoChanges,
    StorageFull,
)
from lakehouse.core.ids import EMPTY_TREE
from lakehouse.core.records import AddressKind, Entry
from lakehouse.db.statement import Statement
from lakehouse.format.entry import pack
from lakehouse.tree.build import build
from lakehouse.tree.lookup import lookup, scan
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import commit, merge, pick, train
from lakehouse.versioning.refs import branches
from lakehouse.versioning.state import held_nodes
from tests.lakes import ANN, commit_all, error_of, open_lake, put, shown

pytestmark = pytest.mark.anyio


@pytest.fixture
async def other(metadata, lake):
    """A second process: its own connection and turns, on the same database and store."""
    second = await open_lake(metadata, objects=lake.stores.default.objects, clock=lake.clock)
    yield second
    await second.background.drain()
    await second.db.close()


async def make(lake, repo, name, **changed):
    """A branch of main with one commit."""
    await branches.create_branch(lake, repo, name, source="main", actor=ANN)
    await put(lake, repo, name, **changed)
    await commit_all(lake, repo, name)


def merging(lake, repo, name, **options):
    return merge.merge_into_branch(lake, repo, name, "main", merge.MergeRequest(**options), ANN)


@pytest.fixture
def landed(monkeypatch):
    """How many commits landed together, each time."""
    land, found = train.land, []

    async def counting(*args, **options):
        found.append(len(args[3]))
        await land(*args, **options)

    monkeypatch.setattr(train, "land", counting)
    return found


@pytest.fixture
async def held_up(lake, repo):
    """Begin works while the branch's turn is taken, let them go together; their errors or results."""

    async def together(*works):
        _, main = await resolve.branch(lake, repo, "main")
        async with lake.turns.of(main.id):
            tasks = []
            for number, work in enumerate(works):  # each waits before the next one comes
                tasks.append(asyncio.create_task(work))
                while len(lake.turns.trains.get(main.id, [None] * 99)) != number:
                    await asyncio.sleep(0)
        return await asyncio.gather(*tasks, return_exceptions=True)

    return together


async def test_many_land_in_one_transaction(lake, repo, landed, held_up):
    await put(lake, repo, "main", first="f")
    await commit_all(lake, repo, "main")
    for number in range(6):
        await make(lake, repo, f"b{number}", **{f"f{number}": "c"})
    outcomes = await held_up(*(merging(lake, repo, f"b{number}") for number in range(6)))
    assert landed == [6]
    assert [(one.added, one.removed, one.changed) for one in outcomes] == [(1, 0, 0)] * 6
    _, head = await resolve.commit(lake, repo, "main")
    assert head.id == outcomes[-1].commit.id
    for older, newer in pairwise(outcomes):
        assert newer.commit.parents[0] == older.commit.id
    for number, one in enumerate(outcomes):
        expected = {"first", *(f"f{before}" for before in range(number + 1))}
        lake.nodes.clear()  # each commit's nodes are in the store
        assert (await shown(lake, repo, one.commit.id)).keys() == expected
    rows = await lake.db.all(
        "select old, new, operation from reflog where branch = (select id from refs where name = 'main') order by seq"
    )
    assert [new for _, new, _ in rows[-6:]] == [one.commit.id for one in outcomes]
    assert [old for old, _, _ in rows[1:]] == [new for _, new, _ in rows[:-1]]
    assert lake.turns.trains == {}


async def test_the_same_as_one_after_the_other(lake, repo, held_up):
    await put(lake, repo, "main", a="a0", b="b0", c="c0")
    base = await commit_all(lake, repo, "main")
    await make(lake, repo, "one", a="a1", n="n1")
    await make(lake, repo, "two", b="b2", a="a2")
    await make(lake, repo, "six", c="c6", n="n1")
    await branches.create_branch(lake, repo, "slow", source="main", actor=ANN)
    together = await held_up(*(merging(lake, repo, name, strategy="dest-wins") for name in ("one", "two", "six")))
    for name in ("one", "two", "six"):
        request = merge.MergeRequest(strategy="dest-wins", message=f"Merge '{name}' into 'main'")
        await merge.merge_into_branch(lake, repo, name, "slow", request, ANN)
    _, slow = await resolve.commit(lake, repo, "slow")
    assert together[-1].commit.id == slow.id
    assert together[-1].commit.root == slow.root
    assert slow.root != base.root
    assert await shown(lake, repo, "main") == {"a": "a1", "b": "b2", "c": "c6", "n": "n1"}


async def test_who_fails_fails_alone(lake, repo, landed, held_up):
    await make(lake, repo, "one", x="x1")
    await make(lake, repo, "two", x="x2")
    await make(lake, repo, "six", y="y6")
    errors = await held_up(*(error_of(merging(lake, repo, name)) for name in ("one", "two", "six", "one")))
    assert errors == [None, MergeConflict, None, NoChanges]
    assert landed == [2]
    assert await shown(lake, repo, "main") == {"x": "x1", "y": "y6"}


async def test_failures_alone_move_nothing(lake, repo, landed, held_up):
    assert set(await held_up(*(error_of(merging(lake, repo, "main")) for _ in range(3)))) == {NoChanges}
    assert landed == []


async def test_a_lost_race_decides_anew(lake, repo, other, landed, held_up, monkeypatch):
    """What conflicted with a commit that never landed may land after all, and the other way round."""
    await make(lake, repo, "one", x="x1", y="y1")
    await make(lake, repo, "two", x="x2")
    land, done = train.land, []

    async def after_another(*args, **options):
        if not done:
            done.append(True)
            await put(other, repo, "main", y="theirs")
            await commit_all(other, repo, "main")
        await land(*args, **options)

    monkeypatch.setattr(train, "land", after_another)
    errors = await held_up(*(error_of(merging(lake, repo, name)) for name in ("one", "two")))
    assert errors == [MergeConflict, None]
    assert landed == [1, 1]
    assert await shown(lake, repo, "main") == {"x": "x2", "y": "theirs"}


async def test_reverts_and_picks_ride_along(lake, repo, landed, held_up):
    await put(lake, repo, "main", a="a0")
    await commit_all(lake, repo, "main")
    await put(lake, repo, "main", b="b1")
    added = await commit_all(lake, repo, "main")
    await make(lake, repo, "one", c="c1")
    await make(lake, repo, "two", d="d1")
    outcomes = await held_up(
        merging(lake, repo, "one"),
        pick.revert_branch(lake, repo, "main", ref=added.id, parent_number=0, actor=ANN),
        pick.cherry_pick(lake, repo, "main", ref="two", parent_number=None, actor=ANN),
        error_of(pick.revert_branch(lake, repo, "main", ref=added.id, parent_number=0, actor=ANN)),
    )
    assert landed == [3]
    assert outcomes[-1] is NoChanges
    assert await shown(lake, repo, "main") == {"a": "a0", "c": "c1", "d": "d1"}
    operations = await lake.db.all("select operation from reflog order by seq")
    assert Counter(one for (one,) in operations)["cherry_pick"] == 1


async def test_who_has_a_note_travels_alone(lake, repo, landed, held_up):
    """What it stores besides may be refused, and that is nobody else's business."""
    for name in ("one", "two", "six"):
        await make(lake, repo, name, **{name: "c"})
    noted = []

    def refused(made):
        noted.append(made)
        return [Statement("delete from refs where id = -1", rows=1, otherwise=InvalidArgument("refused"))]

    def noting(name):
        return merge.merge_into_branch(lake, repo, name, "main", merge.MergeRequest(), ANN, note=refused)

    errors = await held_up(
        error_of(merging(lake, repo, "one")), error_of(noting("two")), error_of(merging(lake, repo, "six"))
    )
    assert errors == [None, InvalidArgument, None]
    assert landed == [1, 1, 1]
    assert [one.message for one in noted] == ["Merge 'two' into 'main'"]
    assert await shown(lake, repo, "main") == {"one": "c", "six": "c"}


async def test_long_queues_are_several_trains(lake, repo, landed, held_up, monkeypatch):
    monkeypatch.setattr(train, "MOST", 3)
    for number in range(7):
        await make(lake, repo, f"b{number}", **{f"f{number}": "c"})
    await held_up(*(merging(lake, repo, f"b{number}") for number in range(7)))
    assert landed == [3, 3, 1]
    assert len(await shown(lake, repo, "main@")) == 7


async def test_a_dirty_branch_takes_nobody(lake, repo, held_up):
    await make(lake, repo, "one", x="x1")
    await make(lake, repo, "two", y="y1")
    await put(lake, repo, "main", z="z1")
    assert await held_up(*(error_of(merging(lake, repo, name)) for name in ("one", "two"))) == [DirtyBranch] * 2
    assert await shown(lake, repo, "main@") == {}


async def test_who_left_before_is_not_taken(lake, repo, landed):
    await make(lake, repo, "one", x="x1")
    await make(lake, repo, "two", y="y1")
    _, main = await resolve.branch(lake, repo, "main")
    async with lake.turns.of(main.id):
        gone, here = [asyncio.create_task(merging(lake, repo, name)) for name in ("one", "two")]
        while len(lake.turns.trains.get(main.id, ())) < 1:
            await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    await here
    assert landed == [1]
    assert await shown(lake, repo, "main") == {"y": "y1"}


async def test_who_left_meanwhile_lands(lake, repo, monkeypatch):
    """It belongs to the server by then."""
    await make(lake, repo, "one", x="x1")
    land, began, on = train.land, asyncio.Event(), asyncio.Event()

    async def slowly(*args, **options):
        began.set()
        await on.wait()
        await land(*args, **options)

    monkeypatch.setattr(train, "land", slowly)
    merged = asyncio.create_task(merging(lake, repo, "one"))
    await began.wait()
    merged.cancel()
    with pytest.raises(asyncio.CancelledError):
        await merged
    on.set()
    await lake.background.drain()
    assert await shown(lake, repo, "main@") == {"x": "x1"}


async def test_a_full_store_stops_all_and_later_ones_go_on(lake, repo, held_up, monkeypatch):
    await make(lake, repo, "one", x="x1")
    await make(lake, repo, "two", y="y1")

    async def full(self):
        raise StorageFull

    with monkeypatch.context() as broken:
        broken.setattr(held_nodes.HeldNodes, "flush", full)
        errors = await held_up(*(error_of(merging(lake, repo, name)) for name in ("one", "two")))
    assert errors == [StorageFull] * 2
    assert await shown(lake, repo, "main") == {}
    await merging(lake, repo, "one")
    assert await shown(lake, repo, "main") == {"x": "x1"}


async def test_a_branch_that_was_made_again_takes_nobody(lake, repo):
    await branches.create_branch(lake, repo, "to", source="main", actor=ANN)
    await make(lake, repo, "one", x="x1")
    _, old = await resolve.branch(lake, repo, "to")
    async with lake.turns.of(old.id):
        merged = asyncio.create_task(
            error_of(merge.merge_into_branch(lake, repo, "one", "to", merge.MergeRequest(), ANN))
        )
        while old.id not in lake.turns.trains:
            await asyncio.sleep(0)
        await branches.delete_branch(lake, repo, "to")
        await branches.create_branch(lake, repo, "to", source="main", actor=ANN)
    assert await merged is BranchNotFound
    assert await shown(lake, repo, "to") == {}


async def test_an_error_of_ours_is_told_and_the_next_train_goes(lake, repo):
    async def broken(ground):
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        await train.on_clean_branch(lake, repo, "main", broken, operation="merge", actor=ANN)
    assert lake.turns.trains == {}
    await make(lake, repo, "one", x="x1")
    await merging(lake, repo, "one")
    assert await shown(lake, repo, "main") == {"x": "x1"}


async def test_a_commit_has_its_turn_between_trains(lake, repo, landed, held_up, monkeypatch):
    monkeypatch.setattr(train, "MOST", 1)
    for number in range(3):
        await make(lake, repo, f"b{number}", **{f"f{number}": "c"})
    request = commit.CommitRequest("between", allow_empty=True)
    _, main = await resolve.branch(lake, repo, "main")
    async with lake.turns.of(main.id):
        tasks = [asyncio.create_task(merging(lake, repo, f"b{number}")) for number in range(3)]
        while len(lake.turns.trains.get(main.id, ())) < 2:
            await asyncio.sleep(0)
        tasks.append(asyncio.create_task(commit.commit(lake, repo, "main", request, ANN)))
        while lake.turns._locks[main.id][1] < 3:
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    _, head = await resolve.commit(lake, repo, "main")
    assert head.message != "between"


# -- nodes that wait ---------------------------------------------------------------------------------------------------


def entry(number):
    return pack(Entry(f"data/{number:026}", AddressKind.RELATIVE, number, f"{number:032x}", 1_750_000_000))


async def pages(start, count):
    keys = [f"{number:06}".encode() for number in range(start, start + count)]
    for at in range(0, count, 1000):
        yield keys[at : at + 1000], [entry(at) for _ in keys[at : at + 1000]]


async def test_held_nodes_are_read_before_and_stored_by_a_flush(lake, repo):
    repository, _ = await resolve.branch(lake, repo, "main")
    held, plain = lake.held_tree(repository), lake.tree(repository)
    root = await build(held, pages(0, 5000))
    lake.nodes.clear()
    assert await lookup(held, root, b"004999") is not None
    assert len((await scan(held, root, limit=9999))[0]) == 5000
    with pytest.raises(Exception, match="missing"):
        await lookup(plain, root, b"004999")
    await held.flush()
    lake.nodes.clear()
    assert await lookup(plain, root, b"004999") is not None
    assert await lookup(held, root, b"000000") is not None
    await held.flush()


async def test_many_held_nodes_are_stored_at_once(lake, repo, monkeypatch):
    monkeypatch.setattr(held_nodes, "MOST_BYTES", 1000)
    repository, _ = await resolve.branch(lake, repo, "main")
    root = await build(lake.held_tree(repository), pages(0, 5000))
    assert root != EMPTY_TREE
    lake.nodes.clear()
    assert await lookup(lake.tree(repository), root, b"002500") is not None


async def test_a_bad_request_reaches_no_train(lake, repo):
    with pytest.raises(InvalidArgument):
        await merging(lake, repo, "main", strategy="theirs")
    assert lake.turns.trains == {}

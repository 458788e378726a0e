# SPDX-License-Identifier: Apache-2.0
"""Compaction: nobody can tell whether it ran, but for what reading costs; and when it is worth it."""

from __future__ import annotations

import random
from bisect import bisect_left

import pytest

from lakehouse.core.errors import DirtyBranch, LostRace, StorageUnavailable
from lakehouse.core.paths import parse_path
from lakehouse.core.records import AddressKind, Entry
from lakehouse.format.entry import pack
from lakehouse.meta import staging
from lakehouse.tree.build import build
from lakehouse.tree.rank import ranks
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact, merge, reset
from lakehouse.versioning.objects import batches, lookup, objects, writing
from lakehouse.versioning.objects import staging as links
from lakehouse.versioning.refs import branches
from lakehouse.versioning.state.staged_rows import StagedRows
from lakehouse.versioning.work import sweeping
from tests.lakes import ANN, by_column, changes, commit_all, error_of, lake_on, link, put, seal, shown

pytestmark = pytest.mark.anyio
PATHS = [f"p/{number:02}" for number in range(30)]


def row(content, address):
    """An entry whose address does not belong to its identity."""
    entry = Entry(f"data/{address}", AddressKind.RELATIVE, 3, content, 1_750_000_000)
    return pack(entry)


async def branch_of(lake, repo, name="main"):
    return (await resolve.branch(lake, repo, name))[1]


async def fold(lake, repo, name="main"):
    """Compact the branch, however little is staged on it."""
    return await compact.compact(lake, repo, await branch_of(lake, repo, name), anyway=True)


# -- nobody can tell ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
async def test_a_commit_makes_the_same_tree(lake, repo, seed):
    """Rows in any order, those of the head among them, with other addresses too; folded at any time, or never."""
    chosen = random.Random(seed)
    head = {path: row("c0", f"{path}.0") for path in PATHS[::2]}
    main = await branch_of(lake, repo)
    await lake.db.apply(*staging.put_many(main.id, [(path.encode(), value) for path, value in head.items()]))
    await commit_all(lake, repo, "main")
    for name in ("plain", "folded"):
        await branches.create_branch(lake, repo, name, source="main", actor=ANN)
    plain, folded = await branch_of(lake, repo, "plain"), await branch_of(lake, repo, "folded")
    for number in range(60):
        path = chosen.choice(PATHS)
        value = chosen.choice([b"", row("c0", f"{path}.0"), row("c0", f"{path}.{number}"), row("c1", str(number))])
        for branch in (plain, folded):
            await lake.db.apply(staging.put(branch.id, path.encode(), value))
        if chosen.random() < 0.15:
            await fold(lake, repo, "folded")
        if chosen.random() < 0.05:
            await seal(lake, repo, chosen.choice(["plain", "folded"]))
    assert await changes(lake, repo, "folded") == await changes(lake, repo, "plain")
    one, other = [await commit_all(lake, repo, name) for name in ("plain", "folded")]
    assert one.root == other.root
    assert one.id == other.id


async def test_what_is_folded_shows_and_its_rows_go(lake, repo):
    await put(lake, repo, "main", a="a0", b="b0", c="c0")
    await commit_all(lake, repo, "main")
    await put(lake, repo, "main", a="a1", d="d1", c="c0")
    await objects.delete_object(lake, repo, "main", parse_path("b"))
    before = await branch_of(lake, repo)
    assert await fold(lake, repo)
    after = await branch_of(lake, repo)
    assert (after.epoch, after.commit_id, after.sealed) == (before.epoch, before.commit_id, ())
    assert after.version > before.version
    assert after.base is not None
    assert await shown(lake, repo, "main") == await shown(lake, repo, "main$") == {"a": "a1", "c": "c0", "d": "d1"}
    assert await shown(lake, repo, "main@") == {"a": "a0", "b": "b0", "c": "c0"}
    assert await changes(lake, repo, "main") == {"a": "changed", "b": "removed", "d": "added"}
    assert await changes(lake, repo, "main", prefix=b"b") == {"b": "removed"}
    lake.clock.now += 700
    await sweeping.sweep(lake)
    assert await lake.db.all("select path from staged") == []
    assert not await fold(lake, repo)
    await commit_all(lake, repo, "main")
    assert (await branch_of(lake, repo)).base is None
    assert await changes(lake, repo, "main") == {}


async def test_what_changes_nothing_leaves_no_base(lake, repo):
    await put(lake, repo, "main", a="a0")
    await commit_all(lake, repo, "main")
    await put(lake, repo, "main", a="a0")
    await objects.delete_object(lake, repo, "main", parse_path("nothing"))
    assert await fold(lake, repo)
    assert (await branch_of(lake, repo)).base is None
    await put(lake, repo, "main", a="a1")
    assert await fold(lake, repo)
    assert (await branch_of(lake, repo)).base is not None
    await put(lake, repo, "main", a="a0")
    assert await fold(lake, repo)
    assert (await branch_of(lake, repo)).base is None


async def test_everything_deleted_is_a_base_too(lake, repo):
    await put(lake, repo, "main", a="a0", b="b0")
    await commit_all(lake, repo, "main")
    await objects.delete_objects(lake, repo, "main", ["a", "b"])
    assert await fold(lake, repo)
    assert (await branch_of(lake, repo)).base == ""
    assert await shown(lake, repo, "main") == {}
    assert await changes(lake, repo, "main") == {"a": "removed", "b": "removed"}
    await put(lake, repo, "main", c="c1")
    await reset.reset_object(lake, repo, "main", parse_path("b"))
    assert await shown(lake, repo, "main") == {"b": "b0", "c": "c1"}
    await fold(lake, repo)
    await commit_all(lake, repo, "main")
    assert await shown(lake, repo, "main@") == {"b": "b0", "c": "c1"}


async def test_a_token_from_before_still_links(lake, repo):
    """Nothing leaves the branch, so addresses and tokens that were handed out stay good."""
    path = parse_path("late")
    where = await links.get_physical_address(lake, repo, "main", path)
    await put(lake, repo, "main", a="a1")
    assert await fold(lake, repo)
    late = links.Link(
        path=path, physical_address=where.physical_address, checksum="l1", size=1, token=where.token, metadata={}
    )
    await links.link_physical_address(lake, repo, "main", late)
    assert await shown(lake, repo, "main") == {"a": "a1", "late": "l1"}


async def test_conditions_look_into_the_base(lake, repo):
    await put(lake, repo, "main", a="a1")
    await fold(lake, repo)
    assert await error_of(link(lake, repo, "main", "a", "a2", if_absent=True)) is not None
    await objects.update_object_user_metadata(lake, repo, "main", parse_path("a"), {"k": "v"})
    assert (await lookup.entry_at_ref(lake, repo, "main", parse_path("a")))[1].metadata == {"k": "v"}


async def test_a_base_is_uncommitted(lake, repo):
    """No merge goes onto it; taken back row by row, it no longer hinders one, and goes with it."""
    await put(lake, repo, "main", a="a0")
    await commit_all(lake, repo, "main")
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await put(lake, repo, "side", new="n1", a="a2")
    await commit_all(lake, repo, "side")
    await put(lake, repo, "main", a="a1", b="b1")
    await fold(lake, repo)

    def merging():
        return merge.merge_into_branch(lake, repo, "side", "main", merge.MergeRequest(), ANN)

    assert await error_of(merging()) is DirtyBranch
    await reset.reset_prefix(lake, repo, "main", b"a")
    assert await error_of(merging()) is DirtyBranch
    await objects.delete_object(lake, repo, "main", parse_path("b"))
    await merging()
    assert (await branch_of(lake, repo)).base is None
    assert await shown(lake, repo, "main") == {"a": "a2", "new": "n1"}
    assert await changes(lake, repo, "main") == {}


async def test_a_base_stays_on_another_head(lake, repo):
    await put(lake, repo, "main", a="a0", b="b0")
    old = await commit_all(lake, repo, "main")
    await put(lake, repo, "main", a="a1", c="c1")
    await commit_all(lake, repo, "main")
    await put(lake, repo, "main", a="a0", d="d1")
    await objects.delete_object(lake, repo, "main", parse_path("c"))
    await fold(lake, repo)
    await reset.hard_reset_branch(lake, repo, "main", ref=old.id, actor=ANN)
    assert await shown(lake, repo, "main") == {"a": "a0", "b": "b0", "d": "d1"}
    assert await changes(lake, repo, "main") == {"d": "added"}
    await reset.reset_prefix(lake, repo, "main", b"d")
    assert await changes(lake, repo, "main") == {}


@pytest.mark.parametrize("based", [True, False])
async def test_a_large_prefix_is_taken_back_at_once(lake, repo, monkeypatch, based):
    monkeypatch.setattr(reset, "AT_ONCE", 10)
    monkeypatch.setattr(staging, "PAGE", 4)
    names = {f"x/{number:02}": "c0" for number in range(25)}
    await put(lake, repo, "main", y="y0", **dict(list(names.items())[:12]))
    await commit_all(lake, repo, "main")
    await put(lake, repo, "main", **dict.fromkeys(names, "c1"))
    await (fold if based else seal)(lake, repo, "main")
    await put(lake, repo, "main", y="y1", **{"x/24": "c2", "x/30": "c2"})
    await reset.reset_prefix(lake, repo, "main", b"x/")
    assert await shown(lake, repo, "main") == {"y": "y1", **dict(list(names.items())[:12])}
    assert await changes(lake, repo, "main") == {"y": "changed"}
    await lake.background.drain()
    lake.clock.now += 100_000
    await sweeping.sweep(lake)
    assert await changes(lake, repo, "main") == {"y": "changed"}
    assert await lake.db.all("select token from dropped") == []


async def test_a_prefix_is_taken_back_again_when_the_branch_moved(lake, repo, monkeypatch):
    """The rows that were gathered for the first try go to the sweeper."""
    monkeypatch.setattr(reset, "AT_ONCE", 2)
    await put(lake, repo, "main", a="a1", b="b1", c="c1", d="d1")
    await fold(lake, repo)
    moved = []
    restored = reset._restored

    async def while_folded(*args):
        async for page in restored(*args):
            yield page
        if not moved:
            moved.append(True)
            await put(lake, repo, "main", e="e1")
            await fold(lake, repo)

    monkeypatch.setattr(reset, "_restored", while_folded)
    await reset.reset_prefix(lake, repo, "main", b"")
    assert moved
    assert await shown(lake, repo, "main") == {}
    lake.clock.now += 100_000
    await sweeping.sweep(lake)
    assert await lake.db.all("select token from dropped") == []


# -- who else is at work -----------------------------------------------------------------------------------------------


async def test_another_branch_of_the_name_is_left_alone(lake, repo):
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await put(lake, repo, "side", a="a1")
    old = await branch_of(lake, repo, "side")
    await branches.delete_branch(lake, repo, "side")
    assert not await compact.compact(lake, repo, old, anyway=True)
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await put(lake, repo, "side", b="b1")
    assert not await compact.compact(lake, repo, old, anyway=True)
    assert (await branch_of(lake, repo, "side")).base is None


async def test_a_fold_that_was_overtaken_changes_nothing(lake, repo, monkeypatch):
    await put(lake, repo, "main", a="a1")
    tree_of = compact.tree_of

    async def then_reset(*args, **options):
        found = await tree_of(*args, **options)
        await reset.reset_branch(lake, repo, "main")
        return found

    monkeypatch.setattr(compact, "tree_of", then_reset)
    assert not await fold(lake, repo)
    assert (await branch_of(lake, repo)).base is None
    assert await shown(lake, repo, "main") == {}


async def test_a_base_is_set_on_what_was_seen_only(lake, repo):
    """Another head, another base or other sealed areas: what was computed is not what the branch shows."""
    await put(lake, repo, "main", a="a1")
    first = await branch_of(lake, repo)
    await fold(lake, repo)
    with pytest.raises(LostRace):
        await lake.db.apply(compact.refs.set_base(first, None, taken=()))
    second = await branch_of(lake, repo)
    await seal(lake, repo, "main")
    with pytest.raises(LostRace):
        await lake.db.apply(compact.refs.set_base(second, None, taken=(12345,)))
    await commit_all(lake, repo, "main")
    with pytest.raises(LostRace):
        await lake.db.apply(compact.refs.set_base(second, None, taken=()))
    assert await shown(lake, repo, "main") == {"a": "a1"}


async def test_a_commit_whose_rows_are_folded_meanwhile_takes_them(lake, repo, monkeypatch):
    """As another process does it whose lease ran out."""
    from lakehouse.versioning.commits import commit

    await put(lake, repo, "main", a="a1")
    compared, done = commit.compared, []

    async def while_another_folds(*args):
        found = await compared(*args)
        if not done:
            done.append(True)
            seen = await branch_of(lake, repo)
            root, _ = await compact.tree_of(lake, *(await resolve.branch(lake, repo, "main")), seen.sealed)
            await lake.db.apply(compact.refs.set_base(seen, root, taken=seen.sealed))
        return found

    monkeypatch.setattr(commit, "compared", while_another_folds)
    await commit_all(lake, repo, "main")
    assert done
    assert await shown(lake, repo, "main@") == {"a": "a1"}
    assert (await branch_of(lake, repo)).base is None


# -- when --------------------------------------------------------------------------------------------------------------


async def test_it_begins_when_enough_is_staged(lake, repo, monkeypatch):
    monkeypatch.setattr(compact, "DELAY", 0)
    lake.staged.least = 40
    for number in range(39):
        await link(lake, repo, "main", f"x{number:02}")
    await lake.background.drain()
    assert (await branch_of(lake, repo)).base is None
    await link(lake, repo, "main", "y")
    await lake.background.drain()
    branch = await branch_of(lake, repo)
    assert branch.base is not None
    assert await staging.is_empty(lake.db, (branch.staging_token, *branch.sealed))
    assert len(await shown(lake, repo, "main")) == 40


async def test_a_page_that_passes_many_rows_begins_it(lake, repo, monkeypatch):
    """Those of a process that is gone, or of several, of which none has staged enough."""
    monkeypatch.setattr(compact, "DELAY", 0)
    await put(lake, repo, "main", y="y1")
    await objects.delete_objects(lake, repo, "main", [f"x{number:02}" for number in range(60)])
    again = lake_on(lake.db, lake.stores.default.objects, lake.clock)
    again.staged.least = 40
    await shown(again, repo, "main", prefix=b"y")
    await again.background.drain()
    assert (await branch_of(lake, repo)).base is None
    assert await shown(again, repo, "main") == {"y": "y1"}
    await again.background.drain()
    branch = await branch_of(lake, repo)
    assert branch.base is not None
    assert await staging.is_empty(lake.db, (branch.staging_token, *branch.sealed))
    assert await shown(again, repo, "main") == {"y": "y1"}


async def test_deletes_and_batches_count(lake, repo, monkeypatch):
    monkeypatch.setattr(compact, "DELAY", 0)
    lake.staged.least = 40
    await objects.delete_objects(lake, repo, "main", [f"x{number:02}" for number in range(40)])
    await lake.background.drain()
    branch = await branch_of(lake, repo)
    assert await staging.is_empty(lake.db, (branch.staging_token, *branch.sealed))
    for atomic in (False, True):
        batch = await batches.open_batch(lake, repo, "main", atomic=atomic)
        paths = [parse_path(f"{atomic}/{number:02}") for number in range(40)]
        pages = await links.get_physical_addresses(lake, repo, "main", paths)
        where = [one async for page in pages for _, one in page]
        wanted = [
            links.Link(path=path, physical_address=at.physical_address, checksum="b", size=1)
            for path, at in zip(paths, where, strict=True)
        ]
        await batch.add(by_column(wanted))
        await batch.finish()
        await lake.background.drain()
        branch = await branch_of(lake, repo)
        assert await staging.is_empty(lake.db, (branch.staging_token, *branch.sealed)), atomic
        assert branch.base is not None


async def test_rows_that_are_spread_thin_are_not_worth_it(lake, repo, monkeypatch):
    """They would rewrite the whole tree; it is looked again when there are twice as many."""
    monkeypatch.setattr(compact, "DELAY", 0)
    monkeypatch.setattr(compact, "_LEAF", 100)
    head = [(f"{number:05}".encode(), row("c", str(number))) for number in range(20_000)]
    main = await branch_of(lake, repo)
    for at in range(0, len(head), 1000):
        await lake.db.apply(*staging.put_many(main.id, head[at : at + 1000]))
    await commit_all(lake, repo, "main")
    lake.staged.least = 40
    await objects.delete_objects(lake, repo, "main", [f"{number:05}" for number in range(0, 20_000, 500)])
    await lake.background.drain()
    assert (await branch_of(lake, repo)).base is None
    await objects.delete_objects(lake, repo, "main", [f"{number:05}" for number in range(9000, 9039)])
    await lake.background.drain()
    assert (await branch_of(lake, repo)).base is None
    await objects.delete_objects(lake, repo, "main", [f"{number:05}" for number in range(9039, 9600)])
    await lake.background.drain()
    assert (await branch_of(lake, repo)).base is not None


async def test_a_fold_that_fails_is_only_a_warning(lake, repo, monkeypatch, caplog):
    monkeypatch.setattr(compact, "DELAY", 0)
    lake.staged.least = 40

    async def no_store(*args, **options):
        raise StorageUnavailable("the store is away")

    with monkeypatch.context() as broken:
        broken.setattr(compact, "tree_of", no_store)
        await objects.delete_objects(lake, repo, "main", [f"x{number:02}" for number in range(40)])
        await link(lake, repo, "main", "a")
        await lake.background.drain()
    assert "the store is away" in caplog.text
    assert await shown(lake, repo, "main") == {"a": "c1"}
    await commit_all(lake, repo, "main")
    assert await shown(lake, repo, "main@") == {"a": "c1"}


def test_the_count_says_once_when_to_look():
    rows = StagedRows(least=10)
    assert [rows.add(1, 4) for _ in range(5)] == [False, False, True, False, False]
    rows.later(1)
    assert [rows.add(1, 10) for _ in range(4)] == [False, True, False, False]
    rows.forget(1)
    assert rows.add(1, 100)
    assert not rows.add(2, 9)


def test_the_count_is_bounded(monkeypatch):
    monkeypatch.setattr("lakehouse.versioning.state.staged_rows.MOST_BRANCHES", 3)
    rows = StagedRows(least=10)
    for branch in range(9):
        assert not rows.add(branch, 9)
    assert len(rows._rows) <= 3


async def test_ranks_are_too_low_by_a_leaf_at_most(lake, repo):
    repository, _ = await resolve.branch(lake, repo, "main")
    tree = lake.tree(repository)
    keys = [f"{number:06}".encode() for number in range(0, 120_000, 4)]
    value = row("c", "a")

    async def pages():
        for at in range(0, len(keys), 1000):
            part = keys[at : at + 1000]
            yield part, [value] * len(part)

    root = await build(tree, pages())
    wanted = sorted({b"", b"zz", *(f"{random.Random(number).randrange(130_000):06}".encode() for number in range(99))})
    found = await ranks(tree, root, wanted)
    for key, rank in zip(wanted, found, strict=True):
        true = bisect_left(keys, key)
        assert true - 2048 <= rank <= true
    assert len(set(found)) > 10
    assert await ranks(tree, root, []) == []
    assert await ranks(tree, "", [b"a"]) == [0]


async def test_writes_one_by_one_count(lake, repo, monkeypatch):
    monkeypatch.setattr(compact, "DELAY", 0)
    lake.staged.least = 40
    for number in range(40):
        path, condition = parse_path(f"w{number:02}"), writing.Condition(absent=number % 2 == 0)
        place = await writing.target(lake, repo, "main", path, condition=condition)
        await writing.write(lake, place, b"1", size=1, content_type="", metadata={}, condition=condition)
    await lake.background.drain()
    branch = await branch_of(lake, repo)
    assert await staging.is_empty(lake.db, (branch.staging_token, *branch.sealed))
    assert branch.base is not None

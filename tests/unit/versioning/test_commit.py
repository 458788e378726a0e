# SPDX-License-Identifier: Apache-2.0
"""Commits, merges, reverts and resets: what counts as a change, what is refused, what a failure leaves."""

from __future__ import annotations

import logging

import pytest

from lakehouse.core.errors import (
    BranchNotFound,
    DirtyBranch,
    InvalidArgument,
    InvalidMergeStrategy,
    InvalidName,
    MergeConflict,
    NoChanges,
    NoSuchParent,
    NotFound,
    ParentRequired,
    ProtectedBranch,
    ReadOnlyRepository,
    RevertParentRequired,
    StorageUnavailable,
)
from lakehouse.core.paths import parse_path
from lakehouse.format.changed_paths import may_contain
from lakehouse.format.commit import decode_commit
from lakehouse.versioning import protection, resolve
from lakehouse.versioning.commits import merge, pick, record, reset
from lakehouse.versioning.objects import objects
from lakehouse.versioning.refs import branches
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.lakes import ANN, changes, commit_all, error_of, link, put, seal, shown

pytestmark = pytest.mark.anyio


async def delete(lake, repo, branch, path):
    await objects.delete_object(lake, repo, branch, parse_path(path))


async def branch_off(lake, repo, name, source="main"):
    await branches.create_branch(lake, repo, name, source=source, actor=ANN)


async def merge_it(lake, repo, source, destination="main", **options):
    outcome = await merge.merge_into_branch(lake, repo, source, destination, merge.MergeRequest(**options), ANN)
    return outcome.commit


# -- commit ------------------------------------------------------------------------------------------------------------


async def test_what_is_no_change(lake, repo):
    await link(lake, repo, "main", "a", "c1")
    first = await commit_all(lake, repo, "main")
    await link(lake, repo, "main", "a", "c1")  # the same bytes at another address
    assert await error_of(commit_all(lake, repo, "main")) is NoChanges
    await delete(lake, repo, "main", "never")
    await link(lake, repo, "main", "b")
    await delete(lake, repo, "main", "b")
    assert await error_of(commit_all(lake, repo, "main")) is NoChanges
    assert await changes(lake, repo, "main") == {}
    empty = await commit_all(lake, repo, "main", allow_empty=True)
    assert empty.root == first.root
    assert empty.parents == (first.id,)


async def test_metadata_is_a_change(lake, repo):
    await link(lake, repo, "main", "a", "c1")
    await commit_all(lake, repo, "main")
    await link(lake, repo, "main", "a", "c1", metadata={"k": "v"})
    assert await changes(lake, repo, "main") == {"a": "changed"}
    await commit_all(lake, repo, "main")


async def test_what_a_commit_says(lake, repo):
    await link(lake, repo, "main", "a")
    made = await commit_all(lake, repo, "main", "message", metadata={"k": "v"}, date=12345)
    _, head = await resolve.commit(lake, repo, "main")
    assert head == made
    assert (made.committer, made.created, made.metadata, made.generation) == (ANN.committer, 12345, {"k": "v"}, 2)


async def test_source_metarange(lake, repo):
    await link(lake, repo, "main", "a")
    made = await commit_all(lake, repo, "main")
    await branch_off(lake, repo, "other", "main~")
    await link(lake, repo, "other", "b")
    assert await error_of(commit_all(lake, repo, "other", source_metarange=made.root)) is DirtyBranch
    await reset.reset_branch(lake, repo, "other")
    await commit_all(lake, repo, "other", source_metarange=made.root)
    assert await shown(lake, repo, "other") == {"a": "c1"}
    assert await error_of(commit_all(lake, repo, "other", source_metarange="f" * 64)) is NotFound
    assert await error_of(commit_all(lake, repo, "other", source_metarange="../../x")) is InvalidArgument


async def test_protected_and_read_only(lake, repo):
    found = await resolve.repository(lake, repo)
    await protection.set_rules(lake, found, ["ma*"], if_etag=None)
    for work in (
        commit_all(lake, repo, "main"),
        link(lake, repo, "main", "a"),
        delete(lake, repo, "main", "a"),
        reset.reset_branch(lake, repo, "main"),
        reset.hard_reset_branch(lake, repo, "main", ref="main", actor=ANN),
    ):
        assert await error_of(work) is ProtectedBranch
    await branch_off(lake, repo, "side")
    await link(lake, repo, "side", "a")
    await commit_all(lake, repo, "side")
    await merge_it(lake, repo, "side")
    await protection.set_rules(lake, found, [], if_etag=None)
    await link(lake, repo, "main", "b")

    await create_repository(lake, RepositoryRequest("fixed", read_only=True))
    assert await error_of(link(lake, "fixed", "main", "a")) is ReadOnlyRepository
    assert await error_of(commit_all(lake, "fixed", "main", allow_empty=True)) is ReadOnlyRepository
    await commit_all(lake, "fixed", "main", allow_empty=True, force=True)


async def test_unknown_branch(lake, repo):
    assert await error_of(commit_all(lake, repo, "nope")) is BranchNotFound


async def test_the_record_of_a_commit(lake, repo):
    await link(lake, repo, "main", "a/b")
    made = await commit_all(lake, repo, "main")
    await lake.background.drain()
    found = await resolve.repository(lake, repo)
    for commit_id in (made.id, made.parents[0]):
        place, name = record.location(lake, found, commit_id)
        data = await (await lake.stores.default.objects.get(place)).read()
        commit, paths = decode_commit(data, name=name)
        assert commit == (await resolve.commit(lake, repo, commit_id))[1]
    assert commit.message == "Repository created"
    place, name = record.location(lake, found, made.id)
    _, paths = decode_commit(await (await lake.stores.default.objects.get(place)).read(), name=name)
    assert may_contain(paths, b"a/b")
    assert not may_contain(paths, b"x/y")


async def test_a_record_that_cannot_be_written_is_logged_only(lake, repo, monkeypatch, caplog):
    await lake.background.drain()
    store = lake.stores.default.objects
    put_node = store.put

    async def fails(location, *args, **options):
        if "/commits/" in location.key:
            raise StorageUnavailable("the disk is gone")
        return await put_node(location, *args, **options)

    monkeypatch.setattr(store, "put", fails)
    with caplog.at_level(logging.WARNING):
        await link(lake, repo, "main", "a")
        await commit_all(lake, repo, "main")
        await lake.background.drain()
    assert "the disk is gone" in caplog.text


# -- merge -------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def apart(lake, repo):
    """Both changed `both`; main removed `gone`, which side changed; side added `new`, main added `here`."""
    await put(lake, repo, "main", both="0", gone="0", same="0")
    await commit_all(lake, repo, "main", "base")
    await branch_off(lake, repo, "side")
    await put(lake, repo, "side", both="side", gone="side", same="1", new="side")
    await commit_all(lake, repo, "side", "side")
    await put(lake, repo, "main", both="main", same="1", here="main")
    await delete(lake, repo, "main", "gone")
    await commit_all(lake, repo, "main", "main")


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("dest-wins", {"both": "main"}),
        ("source-wins", {"both": "side", "gone": "side"}),
    ],
)
async def test_strategies(lake, repo, apart, strategy, expected):
    assert await error_of(merge_it(lake, repo, "side")) is MergeConflict
    made = await merge_it(lake, repo, "side", strategy=strategy)
    assert await shown(lake, repo, "main") == {"same": "1", "here": "main", "new": "side"} | expected
    assert made.metadata == {merge.STRATEGY_KEY: strategy}
    assert made.message == "Merge 'side' into 'main'"
    assert len(made.parents) == 2


async def test_a_conflict_leaves_the_destination(lake, repo, apart):
    _, before = await resolve.commit(lake, repo, "main")
    assert await error_of(merge_it(lake, repo, "side")) is MergeConflict
    assert (await resolve.commit(lake, repo, "main"))[1] == before


async def test_no_changes_is_about_the_source_only(lake, repo):
    await branch_off(lake, repo, "side")
    assert await error_of(merge_it(lake, repo, "side")) is NoChanges
    assert (await merge_it(lake, repo, "side", allow_empty=True)).metadata == {merge.STRATEGY_KEY: "default"}
    await put(lake, repo, "side", a="1")
    await commit_all(lake, repo, "side")
    await put(lake, repo, "main", a="1")
    await commit_all(lake, repo, "main")
    await merge_it(lake, repo, "side")  # equal to the destination, but not to the base
    assert await error_of(merge_it(lake, repo, "side")) is NoChanges


async def test_squash_and_order_of_parents(lake, repo):
    await branch_off(lake, repo, "side")
    await put(lake, repo, "side", a="1")
    theirs = await commit_all(lake, repo, "side")
    _, ours = await resolve.commit(lake, repo, "main")
    squashed = await merge_it(lake, repo, "side", squash=True, message="m", metadata={"k": "v"})
    assert squashed.parents == (ours.id,)
    assert squashed.metadata["k"] == "v"
    merged = await merge_it(lake, repo, "side", force=True)
    assert merged.parents == (squashed.id, theirs.id)


async def test_names_and_strategies_that_are_wrong(lake, repo):
    for strategy in ("ours", "DEST-WINS"):
        assert await error_of(merge_it(lake, repo, "main", strategy=strategy)) is InvalidMergeStrategy
    assert await error_of(merge_it(lake, repo, "main", "main~1")) is InvalidName
    assert await error_of(merge_it(lake, repo, "main", "nope")) is BranchNotFound
    assert await error_of(merge_it(lake, repo, "nope")) is NotFound


async def test_dirty_and_not_really_dirty(lake, repo):
    await branch_off(lake, repo, "side")
    await put(lake, repo, "side", a="side")
    await commit_all(lake, repo, "side")
    await put(lake, repo, "main", b="1")
    assert await error_of(merge_it(lake, repo, "side")) is DirtyBranch
    await seal(lake, repo, "main")
    assert await error_of(merge_it(lake, repo, "side")) is DirtyBranch
    await reset.reset_branch(lake, repo, "main")
    await delete(lake, repo, "main", "a")  # nothing there yet: no change, and it must not hit what comes
    await merge_it(lake, repo, "side")
    assert await shown(lake, repo, "main") == {"a": "side"}


async def test_the_base_of_a_criss_cross(lake, repo):
    await branch_off(lake, repo, "side")
    await put(lake, repo, "main", m="1")
    left = await commit_all(lake, repo, "main")
    await put(lake, repo, "side", s="1")
    right = await commit_all(lake, repo, "side")
    await merge_it(lake, repo, right.id, "main")
    await merge_it(lake, repo, left.id, "side")
    one = await merge.find_merge_base(lake, repo, "main", "side")
    other = await merge.find_merge_base(lake, repo, "side", "main")
    assert one[2] == other[2]
    assert one[2].id == max(left.id, right.id)
    await put(lake, repo, "side", x="1")
    await commit_all(lake, repo, "side")
    await merge_it(lake, repo, "side")
    assert await shown(lake, repo, "main") == {"m": "1", "s": "1", "x": "1"}


# -- revert, cherry-pick -----------------------------------------------------------------------------------------------


async def revert(lake, repo, ref, number=0, **options):
    return await pick.revert_branch(lake, repo, "main", ref=ref, parent_number=number, actor=ANN, **options)


async def cherry(lake, repo, branch, ref, number=None, **options):
    return await pick.cherry_pick(lake, repo, branch, ref=ref, parent_number=number, actor=ANN, **options)


async def test_revert(lake, repo):
    await put(lake, repo, "main", a="1")
    await commit_all(lake, repo, "main")
    await put(lake, repo, "main", a="2", b="1")
    await commit_all(lake, repo, "main")
    made = await revert(lake, repo, "main")
    assert made.message == "Revert main"
    assert await shown(lake, repo, "main") == {"a": "1"}
    assert await error_of(revert(lake, repo, "main~")) is NoChanges
    await revert(lake, repo, "main~", allow_empty=True, overrides=pick.Overrides(message="", metadata={"k": "v"}))
    _, head = await resolve.commit(lake, repo, "main")
    assert (head.message, head.metadata) == ("", {"k": "v"})
    assert await error_of(revert(lake, repo, "main", 2)) is NoSuchParent
    assert await error_of(revert(lake, repo, "main", -1)) is NoSuchParent
    assert await error_of(revert(lake, repo, "nope")) is NotFound
    await put(lake, repo, "main", a="3")
    assert await error_of(revert(lake, repo, "main~3")) is DirtyBranch
    await commit_all(lake, repo, "main")
    assert await error_of(revert(lake, repo, "main~4")) is MergeConflict


async def test_merge_commits_need_a_parent(lake, repo, apart):
    await merge_it(lake, repo, "side", strategy="source-wins")
    assert await error_of(revert(lake, repo, "main")) is RevertParentRequired
    await branch_off(lake, repo, "base", "main~2")
    assert await error_of(cherry(lake, repo, "base", "main")) is ParentRequired
    for number in (0, 3, -1):
        assert await error_of(cherry(lake, repo, "base", "main", number)) is NoSuchParent
    assert await error_of(cherry(lake, repo, "base", "main", 1)) is MergeConflict
    await cherry(lake, repo, "base", "main", 2)
    assert await shown(lake, repo, "base") == {"both": "0", "gone": "0", "same": "0", "here": "main"}
    await revert(lake, repo, "main", 1)
    assert await shown(lake, repo, "main") == {"both": "main", "same": "1", "here": "main"}


async def test_cherry_pick_says_where_it_is_from(lake, repo):
    await branch_off(lake, repo, "side")
    await put(lake, repo, "side", a="1")
    picked = await commit_all(lake, repo, "side", "picked", metadata={"k": "v"})
    made = await cherry(lake, repo, "main", "side")
    assert made.message == "picked"
    assert made.metadata == {"k": "v", "cherry-pick-origin": picked.id, "cherry-pick-committer": picked.committer}
    assert await error_of(cherry(lake, repo, "main", "side")) is NoChanges


# -- reset -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [False, True])
async def test_resets(lake, repo, sealed):
    await put(lake, repo, "main", a="0", a__b="0", ab="0", c="0")
    await commit_all(lake, repo, "main")

    async def stage():
        await put(lake, repo, "main", a="1", a__b="1", new="1")
        await delete(lake, repo, "main", "c")
        if sealed:
            await seal(lake, repo, "main")

    await stage()
    await reset.reset_object(lake, repo, "main", parse_path("a"))
    await reset.reset_object(lake, repo, "main", parse_path("a/"))
    await reset.reset_object(lake, repo, "main", parse_path("never"))
    assert await changes(lake, repo, "main") == {"a/b": "changed", "c": "removed", "new": "added"}
    await reset.reset_object(lake, repo, "main", parse_path("c"))
    await reset.reset_prefix(lake, repo, "main", b"n")
    assert await changes(lake, repo, "main") == {"a/b": "changed"}
    assert await shown(lake, repo, "main") == {"a": "0", "a/b": "1", "ab": "0", "c": "0"}
    await stage()
    await reset.reset_prefix(lake, repo, "main", b"a")
    assert await changes(lake, repo, "main") == {"c": "removed", "new": "added"}
    await reset.reset_branch(lake, repo, "main")
    assert await changes(lake, repo, "main") == {}
    assert await error_of(commit_all(lake, repo, "main")) is NoChanges


async def test_hard_reset_keeps_what_is_uncommitted(lake, repo):
    await put(lake, repo, "main", a="1")
    first = await commit_all(lake, repo, "main")
    await put(lake, repo, "main", a="2")
    await commit_all(lake, repo, "main")
    await put(lake, repo, "main", b="1")
    assert await reset.hard_reset_branch(lake, repo, "main", ref="main~", actor=ANN) == first.id
    assert await shown(lake, repo, "main") == {"a": "1", "b": "1"}
    assert await error_of(reset.hard_reset_branch(lake, repo, "main", ref="nope", actor=ANN)) is NotFound

# SPDX-License-Identifier: Apache-2.0
"""Many at once on one branch: nothing that was acknowledged is lost, and nobody fails for not being alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from lakehouse.core.errors import NoChanges, ObjectNotFound, PreconditionFailed
from lakehouse.core.paths import parse_path
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import merge, reset
from lakehouse.versioning.objects import listing, objects, staging
from lakehouse.versioning.refs import branches, repositories, tags
from lakehouse.versioning.refs.repositories import RepositoryRequest
from tests.lakes import ANN, changes, commit_all, error_of, lake_on, link, open_lake, put, seal, shown

pytestmark = pytest.mark.anyio


@pytest.fixture
async def other(metadata, lake):
    """A second process: its own connection and turns, on the same database and store."""
    second = await open_lake(metadata, objects=lake.stores.default.objects, clock=lake.clock)
    yield second
    await second.background.drain()
    await second.db.close()


@asynccontextmanager
async def beside(*works):
    """Repeat each of them, at the same time, as long as the block runs; how often they raised what."""
    seen, running = Counter(), True

    async def repeat(work):
        while running:
            seen[await error_of(work())] += 1
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(repeat(work)) for work in works]
    try:
        yield seen
    finally:
        running = False
        await asyncio.gather(*tasks)


async def test_links_beside_commits_are_in_one_place(lake, repo, other):
    acknowledged = {}

    async def links(number):
        for turn in range(12):
            path = f"{number % 16}/{turn}"
            content = f"{number}-{turn}"
            await link((lake, other)[number % 2], repo, "main", path, content)
            acknowledged.setdefault(path, []).append(content)

    def commits(process):
        return lambda: commit_all(process, repo, "main")

    async with beside(commits(lake), commits(other)) as outcomes:
        await asyncio.gather(*(links(number) for number in range(64)))
    assert set(outcomes) <= {None, NoChanges}
    assert outcomes[None] >= 2
    everything = await shown(lake, repo, "main", amount=1000)
    assert everything.keys() == acknowledged.keys()
    assert all(everything[path] in contents for path, contents in acknowledged.items())
    await error_of(commit_all(lake, repo, "main"))
    assert await changes(lake, repo, "main") == {}
    assert await shown(lake, repo, "main@", amount=1000) == everything


async def test_each_link_is_committed_once(lake, repo):
    """Every path is written once, so each must be in exactly one commit's difference to its parent."""
    paths = {f"p{number:03}" for number in range(200)}
    async with beside(lambda: commit_all(lake, repo, "main")):
        await asyncio.gather(*(link(lake, repo, "main", path) for path in sorted(paths)))
    await error_of(commit_all(lake, repo, "main"))
    _, head = await resolve.commit(lake, repo, "main")
    found = Counter()
    while head.parents:
        _, parent = await resolve.commit(lake, repo, head.parents[0])
        now, before = await shown(lake, repo, head.id), await shown(lake, repo, parent.id)
        assert before.items() <= now.items()
        found.update(now.keys() - before.keys())
        head = parent
    assert found == Counter(paths)


async def test_merges_into_one_branch_all_succeed(lake, repo, other):
    count = 64
    for number in range(count):
        await branches.create_branch(lake, repo, f"b{number}", source="main", actor=ANN)
        await link(lake, repo, f"b{number}", f"f{number}")
        await commit_all(lake, repo, f"b{number}")
    await asyncio.gather(
        *(
            merge.merge_into_branch((lake, other)[n % 2], repo, f"b{n}", "main", merge.MergeRequest(), ANN)
            for n in range(count)
        )
    )
    assert (await shown(lake, repo, "main@")).keys() == {f"f{number}" for number in range(count)}
    history, (_, head) = 0, await resolve.commit(lake, repo, "main")
    while head.parents:
        history += 1
        _, head = await resolve.commit(lake, repo, head.parents[0])
    assert history == count


async def test_commits_at_once_take_everything_between_them(lake, repo, other):
    for turn in range(6):
        await asyncio.gather(*(link(lake, repo, "main", f"{turn}/{number}") for number in range(8)))
        errors = await asyncio.gather(*(error_of(commit_all((lake, other)[n % 2], repo, "main")) for n in range(8)))
        assert set(errors) <= {None, NoChanges}
        assert None in errors
        assert await changes(lake, repo, "main") == {}
    assert len(await shown(lake, repo, "main@")) == 48


async def test_commit_after_anothers_failed_one_takes_what_it_left(lake, repo):
    """A commit that waited for its turn sees what the one before it sealed and left."""
    await link(lake, repo, "main", "a")
    _, seen = await resolve.branch(lake, repo, "main")
    async with lake.turns.of(seen.id):
        waiting = asyncio.create_task(commit_all(lake, repo, "main"))
        for _ in range(5):
            await asyncio.sleep(0)
        await seal(lake, repo, "main")
    await waiting
    assert await shown(lake, repo, "main@") == {"a": "c1"}


@pytest.mark.parametrize("turn", range(5))
async def test_reset_beside_commit_is_before_or_after(lake, repo, other, turn):
    await put(lake, repo, "main", a="a1", b="b1")
    committing = asyncio.create_task(error_of(commit_all(lake, repo, "main")))
    for _ in range(turn):
        await asyncio.sleep(0)
    await reset.reset_branch(other, repo, "main")
    error = await committing
    expected = {} if error is NoChanges else {"a": "a1", "b": "b1"}
    assert error in (None, NoChanges)
    assert await shown(lake, repo, "main") == await shown(lake, repo, "main@") == expected


async def test_one_wins_a_conditional_write(lake, repo, other):
    async def disturb():
        await link(lake, repo, "main", "noise", str(lake.clock.now))
        await error_of(commit_all(lake, repo, "main"))
        lake.clock.now += 1

    def attempt(turn, n):
        return error_of(link((lake, other)[n % 2], repo, "main", f"x{turn}", f"c{n}", if_absent=True))

    async with beside(disturb):
        for turn in range(8):
            outcomes = Counter(await asyncio.gather(*(attempt(turn, n) for n in range(8))))
            assert outcomes == {None: 1, PreconditionFailed: 7}


async def test_a_condition_sees_what_a_merge_brings(lake, repo, other):
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    for turn in range(10):
        await link(lake, repo, "side", f"x{turn}", "theirs")
        await commit_all(lake, repo, "side")
        merging = asyncio.create_task(
            error_of(merge.merge_into_branch(lake, repo, "side", "main", merge.MergeRequest(), ANN))
        )
        for _ in range(turn):
            await asyncio.sleep(0)
        error = await error_of(link(other, repo, "main", f"x{turn}", "mine", if_absent=True))
        merged = await merging
        if error is None:  # written first: then the merge met a dirty branch, or came right after the look at it
            assert (await shown(lake, repo, "main"))[f"x{turn}"] == "mine"
        else:
            assert merged is None
        await reset.reset_branch(lake, repo, "main")
        await error_of(merge.merge_into_branch(lake, repo, "side", "main", merge.MergeRequest(), ANN))


async def test_conditions_hold_although_rows_are_taken_back(lake, repo, monkeypatch):
    """A tombstone that was seen is taken back before the write: the head's object shows again."""
    await link(lake, repo, "main", "x", "old")
    await commit_all(lake, repo, "main")
    path = parse_path("x")
    await objects.delete_object(lake, repo, "main", path)
    look = staging.lookup.on_branch
    looked = []

    async def then_take_back(*args):
        seen = await look(*args)
        if not looked:
            looked.append(seen)
            await reset.reset_object(lake, repo, "main", path)
        return seen

    monkeypatch.setattr(staging.lookup, "on_branch", then_take_back)
    with pytest.raises(PreconditionFailed):
        await link(lake, repo, "main", "x", "new", if_absent=True)
    assert looked
    assert looked[0].staged == b""
    assert await shown(lake, repo, "main") == {"x": "old"}


@pytest.mark.parametrize("staged", [True, False])
async def test_metadata_does_not_bring_back_what_was_deleted(lake, repo, monkeypatch, staged):
    path = parse_path("x")
    await link(lake, repo, "main", "x", "old")
    if not staged:
        await commit_all(lake, repo, "main")
    look = objects.lookup.on_branch
    looked = []

    async def then_delete(*args):
        seen = await look(*args)
        if not looked:
            looked.append(seen)
            await objects.delete_object(lake, repo, "main", path)
        return seen

    monkeypatch.setattr(objects.lookup, "on_branch", then_delete)
    with pytest.raises(ObjectNotFound):
        await objects.update_object_user_metadata(lake, repo, "main", path, {"a": "b"})
    assert await shown(lake, repo, "main") == {}


async def test_listing_beside_commits_shows_every_link(lake, repo, other, monkeypatch):
    monkeypatch.setattr(listing, "LEAST", 2)
    names = {f"k{number:02}" for number in range(40)}
    for name in sorted(names):
        await link(lake, repo, "main", name, "0")

    async def move():
        await link(lake, repo, "main", "k20", str(lake.clock.now))
        await commit_all(lake, repo, "main")
        lake.clock.now += 1

    async with beside(move):
        for _ in range(30):
            _, page = await listing.list_objects(other, repo, "main", listing.Query(amount=100))
            assert {item.path.decode() for item in page.items} == names
            await asyncio.sleep(0)


async def test_creations_of_one_name(lake, repo, other):
    tries = [
        error_of(repositories.create_repository((lake, other)[n % 2], RepositoryRequest("same"))) for n in range(8)
    ]
    assert Counter(await asyncio.gather(*tries))[None] == 1
    await link(lake, "same", "main", "a")
    refs_made = [error_of(branches.create_branch(lake, repo, "name", source="main", actor=ANN)) for _ in range(4)]
    refs_made += [error_of(tags.create_tag(other, repo, "name", ref="main")) for _ in range(4)]
    assert Counter(await asyncio.gather(*refs_made))[None] == 1


async def test_creations_in_one_namespace(lake, other):
    tries = [
        error_of(repositories.create_repository((lake, other)[n % 2], RepositoryRequest(f"re{n}", "mem://b/same/")))
        for n in range(6)
    ]
    assert Counter(await asyncio.gather(*tries))[None] == 1
    page = await repositories.list_repositories(lake, prefix="", after="", search="", amount=10)
    assert len(page.items) == 1


async def test_repository_metadata_loses_no_key(lake, repo, other):
    await asyncio.gather(
        *(repositories.update_metadata((lake, other)[n % 2], repo, put={f"k{n}": str(n)}) for n in range(16))
    )
    found = await repositories.get_repository(lake, repo)
    assert found.metadata == {f"k{n}": str(n) for n in range(16)}


async def test_deletion_beside_seals_leaves_no_rows(lake, repo, other):
    from lakehouse.versioning.work import sweeping

    for number in range(4):
        await branches.create_branch(lake, repo, f"b{number}", source="main", actor=ANN)
        await link(lake, repo, f"b{number}", "a")
    work = [error_of(commit_all(other, repo, f"b{number}", allow_empty=True)) for number in range(4)]
    await asyncio.gather(repositories.delete_repository(lake, repo, force=False), *work)
    await other.background.drain()
    lake.clock.now += 700
    await sweeping.sweep(lake)
    for table in ("staged", "dropped", "refs", "reflog", "commits", "settings", "repositories"):
        assert await lake.db.all(f"select count(*) from {table}") == [(0,)], table


async def test_turns_are_let_go(lake, repo):
    await asyncio.gather(*(error_of(commit_all(lake, repo, "main")) for _ in range(5)))
    assert lake.turns._locks == {}
    assert lake_on(lake.db, lake.stores.default.objects, lake.clock).turns is not lake.turns

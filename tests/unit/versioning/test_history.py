# SPDX-License-Identifier: Apache-2.0
"""The history of a path and blame, beside a plain search through every commit."""

from __future__ import annotations

import random

import pytest

from lakehouse.core.errors import CommitNotFound, InvalidRef, NotFound
from lakehouse.core.ids import CommitId
from lakehouse.core.records import ChangeKind
from lakehouse.db.statement import Statement
from lakehouse.meta import commits
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import merge
from lakehouse.versioning.commits.choices import parse_choices
from lakehouse.versioning.history import history
from lakehouse.versioning.history.ancestors import LEAST, Ancestors
from lakehouse.versioning.objects import listing, objects
from lakehouse.versioning.refs import branches
from tests.lakes import ANN, commit_all, error_of, link, put, shown

pytestmark = pytest.mark.anyio


async def told(lake, repo, path, ref="main", **query):
    """The history of a path: kind and message."""
    found, after = [], ""
    while True:
        _, page = await history.log_path(lake, repo, ref, path.encode(), after=after, amount=3, **query)
        for item in page.items:
            assert (item.entry is None) == (item.kind is ChangeKind.REMOVED)
            found.append((item.kind.value, item.commit.message))
        if not page.has_more:
            return found
        assert len(page.items) == 3
        after = page.items[-1].commit.id


async def blamed(lake, repo, ref="main", **query):
    """Items of a listing with the message of their commit."""
    found, after = {}, b""
    while True:
        page = await history.blame_prefix(lake, repo, ref, listing.Query(after=after, amount=3, **query))
        found |= {item.path.decode(): item.commit.message for item in page.items}
        if not page.has_more:
            return found
        after = page.items[-1].path


@pytest.fixture
async def lived(lake, repo, clock):
    """Eight commits, a second apart."""

    async def step(message, **objects):
        clock.now += 1
        await put(lake, repo, "main", **objects)
        return await commit_all(lake, repo, "main", message)

    await step("one", a="1", d__x="1")
    await step("two", b="1")
    await step("three", a="2", d__y="1")
    await objects.delete_object(lake, repo, "main", b"a")
    await step("four", d__e__z="1")
    await step("five", c="1")
    await step("six", a="2")
    await step("seven", a="2", b="2")
    await step("eight", d__x="2")


async def test_changes_of_a_path(lake, repo, lived):
    assert await told(lake, repo, "a") == [
        ("added", "six"),
        ("removed", "four"),
        ("changed", "three"),
        ("added", "one"),
    ]
    assert await told(lake, repo, "a", "main~3") == [("removed", "four"), ("changed", "three"), ("added", "one")]
    assert await told(lake, repo, "b") == [("changed", "seven"), ("added", "two")]
    assert await told(lake, repo, "d/x") == [("changed", "eight"), ("added", "one")]
    assert await told(lake, repo, "absent") == []
    assert await told(lake, repo, "d") == []
    assert await told(lake, repo, "a", "main~8") == []


async def test_what_is_uncommitted_is_no_history(lake, repo, lived):
    await put(lake, repo, "main", a="9", new="1")
    assert (await told(lake, repo, "a"))[0] == ("added", "six")
    assert await told(lake, repo, "new") == []
    assert "new" not in await blamed(lake, repo)


async def test_blame(lake, repo, lived):
    everything = {"a": "six", "b": "seven", "c": "five", "d/e/z": "four", "d/x": "eight", "d/y": "three"}
    assert await blamed(lake, repo) == everything
    assert await blamed(lake, repo, delimiter=b"/") == {"a": "six", "b": "seven", "c": "five", "d/": "eight"}
    assert await blamed(lake, repo, prefix=b"d/", delimiter=b"/") == {"d/e/": "four", "d/x": "eight", "d/y": "three"}
    assert await blamed(lake, repo, prefix=b"d") == {path: of for path, of in everything.items() if path[0] == "d"}
    assert await blamed(lake, repo, prefix=b"d/", delimiter=b"/", ref="main~") == {
        "d/e/": "four",
        "d/x": "one",
        "d/y": "three",
    }
    assert await blamed(lake, repo, prefix=b"nothing") == {}
    assert await blamed(lake, repo, "main~8") == {}


@pytest.fixture
async def merged(lake, repo, clock):
    """Both sides changed `both`, `ours` and `theirs`; the merge kept one side's or the base's."""

    async def step(branch, message, **objects):
        clock.now += 1
        await put(lake, repo, branch, **objects)
        await commit_all(lake, repo, branch, message)

    await step("main", "base", back="0", ours="0", theirs="0", d__x="0", quiet="0")
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await step("main", "here", back="1", ours="1", theirs="1", d__here="1")
    await step("side", "there", back="2", ours="2", theirs="2", new="2", d__there="2")
    await step("main", "here again", ours="3")
    clock.now += 1
    choices = parse_choices([("theirs", "source-wins"), ("ours", "dest-wins")], [(b"back", "base")])
    wish = merge.MergeRequest(message="merged", choices=choices)
    await merge.merge_into_branch(lake, repo, "side", "main", wish, ANN)
    await step("main", "after", other="1")


async def test_what_a_merge_threw_away_is_not_told(lake, repo, merged):
    assert await told(lake, repo, "ours") == [("changed", "here again"), ("changed", "here"), ("added", "base")]
    assert await told(lake, repo, "theirs") == [("changed", "there"), ("added", "base")]
    assert await told(lake, repo, "new") == [("added", "there")]
    assert await told(lake, repo, "quiet") == [("added", "base")]
    found = await told(lake, repo, "back")
    assert (found[0], sorted(found[1:3]), found[3:]) == (
        ("changed", "merged"),
        [("changed", "here"), ("changed", "there")],
        [("added", "base")],
    )


async def test_two_sides_are_told_as_one_history(lake, repo):
    """A long quiet stretch on one side is not run through before what the other side changed later."""
    await put(lake, repo, "main", back="0")
    await commit_all(lake, repo, "main", "base")
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await put(lake, repo, "main", back="1")
    await commit_all(lake, repo, "main", "early")
    for number in range(12):
        await put(lake, repo, "main", quiet=str(number))
        await commit_all(lake, repo, "main", "quiet")
    for number in range(5):
        await put(lake, repo, "side", still=str(number))
        await commit_all(lake, repo, "side", "still")
    await put(lake, repo, "side", back="2")
    await commit_all(lake, repo, "side", "late")
    wish = merge.MergeRequest(message="merged", choices=parse_choices([], [(b"back", "delete")]))
    await merge.merge_into_branch(lake, repo, "side", "main", wish, ANN)
    assert await told(lake, repo, "back") == [
        ("removed", "merged"),
        ("changed", "late"),
        ("changed", "early"),
        ("added", "base"),
    ]


async def test_first_parents_alone(lake, repo, merged):
    assert await told(lake, repo, "theirs", first_parent=True) == [
        ("changed", "merged"),
        ("changed", "here"),
        ("added", "base"),
    ]
    assert await told(lake, repo, "new", first_parent=True) == [("added", "merged")]


async def test_blame_through_merges(lake, repo, merged):
    assert await blamed(lake, repo, delimiter=b"/") == {
        "back": "merged",
        "d/": "merged",
        "new": "there",
        "other": "after",
        "ours": "here again",
        "quiet": "base",
        "theirs": "there",
    }
    assert await blamed(lake, repo, prefix=b"d/") == {"d/here": "here", "d/there": "there", "d/x": "base"}


async def test_dates_do_not_matter(lake, repo):
    """A commit may be older than its parent: what follows from what decides."""
    await put(lake, repo, "main", a="1")
    await commit_all(lake, repo, "main", "late", date=3_000_000_000)
    await put(lake, repo, "main", a="2")
    await commit_all(lake, repo, "main", "early", date=5)
    assert await told(lake, repo, "a") == [("changed", "early"), ("added", "late")]
    assert await blamed(lake, repo) == {"a": "early"}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("filtered", [True, False])
async def test_a_random_history_beside_a_plain_search(lake, repo, clock, seed, filtered):
    """Blame is what one finds by asking every commit for everything; and the same without filters."""
    chance = random.Random(seed)
    names = ["main", "x", "y"]
    await put(lake, repo, "main", a="0", d__b="0")
    await commit_all(lake, repo, "main", "0")
    for name in names[1:]:
        await branches.create_branch(lake, repo, name, source="main", actor=ANN)
    for number in range(1, 30):
        clock.now += chance.randrange(2)
        branch, other = chance.sample(names, 2)
        if chance.random() < 0.3:
            wish = merge.MergeRequest(str(number), strategy=chance.choice(["source-wins", "dest-wins"]), force=True)
            await merge.merge_into_branch(lake, repo, other, branch, wish, ANN)
            continue
        path = chance.choice(["a", "d/b", "d/c", "d/e/f", "g"])
        if chance.random() < 0.25:
            await objects.delete_object(lake, repo, branch, path.encode())
        else:
            await link(lake, repo, branch, path, str(chance.randrange(3)))
        await commit_all(lake, repo, branch, str(number), allow_empty=True)
    if not filtered:
        await lake.db.apply(Statement("update commits set paths = null"))

    contents = {}

    async def content(commit_id):
        if commit_id not in contents:
            contents[commit_id] = await shown(lake, repo, commit_id)
        return contents[commit_id]

    async def origin(commit, beneath):
        """Follows one path or prefix by the definition."""
        while True:
            here = {path: sum_ for path, sum_ in (await content(commit.id)).items() if beneath(path)}
            for parent in commit.parents:
                there = {path: sum_ for path, sum_ in (await content(parent)).items() if beneath(path)}
                if here == there:
                    commit = (await resolve.commit(lake, repo, parent))[1]
                    break
            else:
                return commit.message

    for ref in names:
        _, head = await resolve.commit(lake, repo, ref)
        expected = {path: await origin(head, path.__eq__) for path in await content(head.id)}
        assert await blamed(lake, repo, ref) == expected
        rolled = {(path.split("/")[0] + "/" if "/" in path else path): None for path in await content(head.id)}
        for item in rolled:
            beneath = (lambda path, item=item: path.startswith(item)) if item.endswith("/") else item.__eq__
            rolled[item] = await origin(head, beneath)
        assert await blamed(lake, repo, ref, delimiter=b"/") == rolled
        for path, message in expected.items():
            changes = await told(lake, repo, path, ref)
            assert changes[0][1] == message
            assert changes[-1][0] == "added"


async def test_refs_that_are_not(lake, repo, lived):
    for work in (told(lake, repo, "a", "nowhere"), blamed(lake, repo, "nowhere")):
        assert await error_of(work) is NotFound
    assert await error_of(told(lake, repo, "a", "main~x")) is InvalidRef
    assert await error_of(history.log_path(lake, repo, "main", b"a", after="nowhere", amount=3)) is NotFound


class Counting:
    """A database that counts the statements that read."""

    def __init__(self, db):
        self._db = db
        self.reads = 0

    def __getattr__(self, name):
        return getattr(self._db, name)

    async def all(self, *args):
        self.reads += 1
        return await self._db.all(*args)


async def test_long_histories_are_read_in_long_stretches(lake, repo):
    made = [(await commit_all(lake, repo, "main", str(number), allow_empty=True)).id for number in range(60)]
    found = await resolve.repository(lake, repo)
    counting = Counting(lake.db)
    ancestors = Ancestors(counting, found.id)
    seen = [await ancestors.get(made[-1])]
    while seen[-1].parents:
        seen.append(await ancestors.get(seen[-1].parents[0]))
    assert [one.id for one in seen[:-1]] == made[::-1]
    assert counting.reads <= 4
    chain = await commits.first_parents(lake.db, found.id, made[-1], limit=LEAST)
    assert [one.id for one in chain] == made[: -LEAST - 1 : -1]
    assert await error_of(ancestors.get(CommitId("0" * 64))) is CommitNotFound

# SPDX-License-Identifier: Apache-2.0
"""What a lost race leaves is what one after the other would have left: every case of one key and three values.

The winner is another process: it moves the branch between the loser's work and the loser's last transaction.
"""

from __future__ import annotations

from itertools import product

import msgspec
import pytest

from lakehouse.core.errors import MergeConflict
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import merge, pick
from lakehouse.versioning.objects import objects
from lakehouse.versioning.refs import branches
from lakehouse.versioning.state.turns import Turns
from tests.lakes import ANN, commit_all, error_of, link, shown

pytestmark = pytest.mark.anyio

VALUES = (None, "1", "2")
CASES = list(product(VALUES, repeat=4))
"""What base, destination and source have, and what the winner makes of the destination."""


class Overtaken:
    """A database in which somebody else moves the branch, once, just before a head is moved."""

    def __init__(self, db, winner):
        self._db = db
        self._winner = winner
        self.happened = False

    def __getattr__(self, name):
        return getattr(self._db, name)

    async def apply(self, *statements):
        if self._winner and any(one.sql.startswith("update refs set commit_id") for one in statements):
            winner, self._winner = self._winner, None
            await winner()
            self.happened = True
        return await self._db.apply(*statements)


def overtaken(lake, winner):
    return msgspec.structs.replace(lake, db=Overtaken(lake.db, winner))


def other_process(lake):
    return msgspec.structs.replace(lake, turns=Turns(patience=0))


async def write(lake, repo, branch, before, after):
    """Stage and commit what leads from one content to another."""
    for path in before.keys() | after.keys():
        if path not in after:
            await objects.delete_object(lake, repo, branch, path.encode())
        elif before.get(path) != after[path]:
            await link(lake, repo, branch, path, after[path])
    await commit_all(lake, repo, branch, allow_empty=True)


def content(cases, number):
    """A dict by path of what the cases have at a place."""
    return {f"p{CASES.index(case):02d}": case[number] for case in cases if case[number] is not None}


def serial(case, strategy):
    """The winner first, then the merge: the value, or "conflict"."""
    base, _, source, winner = case
    if source in (base, winner):
        return winner
    if winner == base:
        return source
    return {"default": "conflict", "dest-wins": winner, "source-wins": source}[strategy]


async def laid(lake, repo, cases):
    base, destination, source = (content(cases, number) for number in range(3))
    await write(lake, repo, "main", await shown(lake, repo, "main"), base)
    for name, wanted in (("destination", destination), ("source", source)):
        await branches.create_branch(lake, repo, name, source="main", actor=ANN)
        await write(lake, repo, name, base, wanted)


async def raced(lake, repo, cases, strategy):
    async def win():
        other = other_process(lake)
        await write(other, repo, "destination", content(cases, 1), content(cases, 3))

    wish = merge.MergeRequest(strategy=strategy, allow_empty=True)
    loser = overtaken(lake, win)
    error = await error_of(merge.merge_into_branch(loser, repo, "source", "destination", wish, ANN))
    assert loser.db.happened
    return error


@pytest.mark.parametrize("strategy", ["default", "dest-wins", "source-wins"])
async def test_a_merge_that_lost_a_race(lake, repo, strategy):
    cases = [case for case in CASES if serial(case, strategy) != "conflict" and serial_alone(case, strategy)]
    await laid(lake, repo, cases)
    assert await raced(lake, repo, cases, strategy) is None
    expected = {f"p{CASES.index(case):02d}": serial(case, strategy) for case in cases}
    assert await shown(lake, repo, "destination") == {path: value for path, value in expected.items() if value}
    _, head = await resolve.commit(lake, repo, "destination")
    _, winner = await resolve.commit(lake, repo, "destination^1")
    assert len(head.parents) == 2
    assert await shown(lake, repo, winner.id) == content(cases, 3), "the merge is on top of the winner"


def serial_alone(case, strategy):
    """Whether the merge gets as far as its last transaction, before which it is overtaken."""
    base, destination, source, _ = case
    return strategy != "default" or source in (base, destination) or destination == base


@pytest.mark.parametrize("winner", ["2", None])
async def test_a_conflict_that_the_winner_made(lake, repo, winner):
    """Alone the merge would have succeeded; after the winner it must not."""
    case = ("1", "1", None if winner else "2", winner)
    await laid(lake, repo, [case])
    assert await raced(lake, repo, [case], "default") is MergeConflict
    _, head = await resolve.commit(lake, repo, "destination")
    assert len(head.parents) == 1


COMMITS = list(product(VALUES, repeat=3))
"""What the old head has, what is staged over it, and the winner's head."""


async def test_a_commit_that_lost_a_race(lake, repo):
    """What is staged is what the branch showed: it is committed, also where it is equal to the old head."""
    paths = {f"p{number:02d}": case for number, case in enumerate(COMMITS)}
    heads, staged, winners = (
        {path: case[number] for path, case in paths.items() if case[number] is not None} for number in range(3)
    )
    await write(lake, repo, "main", {}, heads)
    await branches.create_branch(lake, repo, "winner", source="main", actor=ANN)
    await write(lake, repo, "winner", heads, winners)
    await branches.create_branch(lake, repo, "loser", source="main", actor=ANN)
    await link(lake, repo, "loser", "other", "1")
    for path in paths:
        if path in staged:
            await link(lake, repo, "loser", path, staged[path])
        else:
            await objects.delete_object(lake, repo, "loser", path.encode())

    async def win():
        from lakehouse.versioning.commits import reset

        await reset.hard_reset_branch(other_process(lake), repo, "loser", ref="winner", actor=ANN)

    await commit_all(overtaken(lake, win), repo, "loser")
    assert await shown(lake, repo, "loser@") == staged | {"other": "1"}
    assert (await resolve.commit(lake, repo, "loser~"))[1].id == (await resolve.commit(lake, repo, "winner"))[1].id


@pytest.mark.parametrize("operation", ["revert", "cherry_pick"])
async def test_reverts_and_picks_that_lost_a_race(lake, repo, operation):
    await write(lake, repo, "main", {}, {"a": "1", "b": "1"})
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await write(lake, repo, "main", {"a": "1", "b": "1"}, {"a": "2", "b": "1"})

    async def win():
        await link(other_process(lake), repo, name, "b", "3")
        await commit_all(other_process(lake), repo, name)

    if operation == "revert":
        name = "main"
        await pick.revert_branch(overtaken(lake, win), repo, name, ref="main", parent_number=0, actor=ANN)
        assert await shown(lake, repo, name) == {"a": "1", "b": "3"}
    else:
        name = "side"
        await pick.cherry_pick(overtaken(lake, win), repo, name, ref="main", parent_number=None, actor=ANN)
        assert await shown(lake, repo, name) == {"a": "2", "b": "3"}

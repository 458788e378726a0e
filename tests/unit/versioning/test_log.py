# SPDX-License-Identifier: Apache-2.0
"""The log: order, limits, filters."""

from __future__ import annotations

import pytest

from lakehouse.core.errors import NotFound
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import merge
from lakehouse.versioning.history import log
from lakehouse.versioning.history.log import LogQuery
from lakehouse.versioning.objects import objects
from lakehouse.versioning.refs import branches
from tests.lakes import ANN, commit_all, link

pytestmark = pytest.mark.anyio


async def messages(lake, repo, ref="main", **query):
    page = await log.log_commits(lake, repo, ref, LogQuery(**query))
    return [commit.message for commit in page.items], page.has_more


async def commit_path(lake, repo, branch, path, message=None):
    await link(lake, repo, branch, path, f"{branch}{message}")
    return await commit_all(lake, repo, branch, message or path)


async def test_many_in_one_second_come_child_before_parent(lake, repo):
    for number in range(30):
        await commit_path(lake, repo, "main", "a", str(number))
    found, more = await messages(lake, repo)
    assert found == [str(number) for number in range(29, -1, -1)] + ["Repository created"]
    assert not more


@pytest.mark.parametrize("turn", range(4))
async def test_within_a_second_a_parent_waits_for_all_its_children(lake, repo, turn):
    """base <- long chain on one side, and base is the merge's other parent as well."""
    await commit_path(lake, repo, "main", "a", f"base {turn}")
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    for number in range(5):
        await commit_path(lake, repo, "side", "b", str(number))
    await merge.merge_into_branch(lake, repo, "side", "main", merge.MergeRequest(message="merged"), ANN)
    found, _ = await messages(lake, repo)
    assert found == ["merged", "4", "3", "2", "1", "0", f"base {turn}", "Repository created"]
    found, _ = await messages(lake, repo, first_parent=True)
    assert found == ["merged", f"base {turn}", "Repository created"]


@pytest.fixture
async def five(lake, repo, clock):
    made = []
    for number in range(5):
        clock.now += 10
        made.append(await commit_path(lake, repo, "main", f"d{number % 2}/f{number}", str(number)))
    return made


async def test_pages(lake, repo, five):
    assert await messages(lake, repo, amount=2) == (["4", "3"], True)
    assert await messages(lake, repo, amount=2, after=five[3].id) == (["2", "1"], True)
    assert await messages(lake, repo, amount=2, after=five[1].id) == (["0", "Repository created"], False)
    assert await messages(lake, repo, amount=6) == (["4", "3", "2", "1", "0", "Repository created"], False)
    assert await messages(lake, repo, amount=2, exact=True) == (["4", "3"], False)


async def test_since_and_stop_at(lake, repo, five):
    assert await messages(lake, repo, since=five[3].created) == (["4", "3"], False)
    assert await messages(lake, repo, stop_at=five[2].id) == (["4", "3", "2"], False)
    assert await messages(lake, repo, stop_at="main~1", amount=1) == (["4"], True)
    for query in ({"after": "nope"}, {"stop_at": "nope"}):
        with pytest.raises(NotFound):
            await messages(lake, repo, **query)
    with pytest.raises(NotFound):
        await messages(lake, repo, "nope")


async def test_filters(lake, repo, five):
    assert await messages(lake, repo, objects=[b"d0/f2"]) == (["2"], False)
    assert await messages(lake, repo, prefixes=[b"d1/"]) == (["3", "1"], False)
    assert await messages(lake, repo, prefixes=[b"d1/f3"], objects=[b"d0/f0"]) == (["3", "0"], False)
    assert await messages(lake, repo, objects=[b"d0"]) == ([], False)
    assert await messages(lake, repo, prefixes=[b"d"], amount=2) == (["4", "3"], True)
    await objects.delete_object(lake, repo, "main", b"d0/f2")
    await commit_all(lake, repo, "main", "deleted")
    assert await messages(lake, repo, objects=[b"d0/f2"]) == (["deleted", "2"], False)


async def test_merges_do_not_count_what_came_by_them(lake, repo, five, clock):
    clock.now += 1
    await branches.create_branch(lake, repo, "side", source="main~3", actor=ANN)
    await commit_path(lake, repo, "side", "s", "on the side")
    await merge.merge_into_branch(lake, repo, "side", "main", merge.MergeRequest(), ANN)
    assert await messages(lake, repo, objects=[b"s"]) == (["on the side"], False)
    assert (await messages(lake, repo, prefixes=[b""]))[0] == ["on the side", "4", "3", "2", "1", "0"]


async def test_a_date_moves_a_commit(lake, repo, five):
    _, head = await resolve.commit(lake, repo, "main")
    await link(lake, repo, "main", "x")
    await commit_all(lake, repo, "main", "old", date=head.created - 25)
    assert (await messages(lake, repo))[0][0] == "old"  # a head comes first: nothing else is known before it

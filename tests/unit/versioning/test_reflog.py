# SPDX-License-Identifier: Apache-2.0
"""Refs by time, and the reflog they are read from."""

from __future__ import annotations

import pytest

from lakehouse.core.errors import InvalidArgument, InvalidRef, NotFound
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import merge, reset
from lakehouse.versioning.history import reflog
from lakehouse.versioning.objects import listing
from lakehouse.versioning.refs import branches, tags
from tests.lakes import ANN, commit_all, error_of, put, shown

pytestmark = pytest.mark.anyio
START = 1_750_000_000  # 2025-06-15T15:06:40Z


@pytest.fixture
async def four(lake, repo, clock):
    """Four commits on main, a minute apart, the first one minute after the branch was made."""
    made = [(await resolve.commit(lake, repo, "main"))[1].id]
    for number in range(4):
        clock.now += 60
        await put(lake, repo, "main", a=str(number))
        made.append((await commit_all(lake, repo, "main")).id)
    clock.now += 30
    return made


async def named(lake, repo, ref):
    return (await resolve.commit(lake, repo, ref))[1].id


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("2025-06-15T15:06:40Z", 0),
        ("2025-06-15T15:07:39Z", 0),
        ("2025-06-15T15:07:40Z", 1),
        ("2025-06-15T15:07:40.900Z", 1),
        ("2025-06-15T17:08:40+02:00", 2),
        ("2025-06-15T15:09:39", 2),
        ("2025-06-16", 4),
        ("2031-01-01T00:00:00Z", 4),
        ("now", 4),
        ("30.seconds.ago", 4),
        ("31.seconds.ago", 3),
        ("1.minute.ago", 3),
        ("4.minutes.ago", 0),
        ("0", 4),
        ("1", 3),
        ("4", 0),
    ],
)
async def test_the_head_then(lake, repo, four, moment, number):
    assert await named(lake, repo, f"main@{{{moment}}}") == four[number]


async def test_steps_go_on_from_there_and_staging_does_not_count(lake, repo, four):
    await put(lake, repo, "main", a="staged", b="staged")
    assert await named(lake, repo, "main@{1}~2") == four[1]
    assert await shown(lake, repo, "main@{0}") == {"a": "3"}
    assert await shown(lake, repo, "main@{1}") == {"a": "2"}
    assert await shown(lake, repo, "main@") == {"a": "3"}
    assert await shown(lake, repo, "main") == {"a": "staged", "b": "staged"}


async def test_before_the_branch_there_is_nothing(lake, repo, four, clock):
    await branches.create_branch(lake, repo, "young", source="main~1", actor=ANN)
    assert await named(lake, repo, "young@{now}") == four[3]
    for moment in ("1.second.ago", "yesterday", "2025-06-15", "1", "999999999"):
        assert await error_of(named(lake, repo, f"young@{{{moment}}}")) is NotFound
    clock.now += 86_400
    assert await named(lake, repo, "young@{yesterday}") == four[3]
    await branches.delete_branch(lake, repo, "young")
    await branches.create_branch(lake, repo, "young", source="main", actor=ANN)
    assert await error_of(named(lake, repo, "young@{yesterday}")) is NotFound, "the past of another branch"


async def test_time_is_not_the_date_of_commits(lake, repo, four, clock):
    """After a hard reset and a commit with a date of its own, the head then is still what it was then."""
    clock.now += 60
    await reset.hard_reset_branch(lake, repo, "main", ref="main~3", actor=ANN)
    clock.now += 60
    await put(lake, repo, "main", b="1")
    late = await commit_all(lake, repo, "main", date=5)
    assert await named(lake, repo, "main@{now}") == late.id
    assert await named(lake, repo, "main@{60.seconds.ago}") == four[1]
    assert await named(lake, repo, "main@{61.seconds.ago}") == four[4]


async def test_undo(lake, repo, four):
    """A hard reset to `@{1}` takes the last move back, and once more repeats it."""
    await branches.create_branch(lake, repo, "side", source="main~2", actor=ANN)
    await put(lake, repo, "side", s="1")
    await commit_all(lake, repo, "side")
    await merge.merge_into_branch(lake, repo, "side", "main", merge.MergeRequest(), ANN)
    merged = await named(lake, repo, "main")
    await reset.hard_reset_branch(lake, repo, "main", ref="main@{1}", actor=ANN)
    assert await named(lake, repo, "main") == four[4]
    await reset.hard_reset_branch(lake, repo, "main", ref="main@{1}", actor=ANN)
    assert await named(lake, repo, "main") == merged


async def test_only_branches_have_a_past(lake, repo, four):
    await tags.create_tag(lake, repo, "v1", ref="main")
    assert await error_of(named(lake, repo, "v1@{0}")) is InvalidRef
    assert await error_of(named(lake, repo, f"{four[1]}@{{0}}")) is InvalidRef
    assert await error_of(named(lake, repo, "absent@{0}")) is NotFound
    assert await error_of(listing.list_objects(lake, repo, "v1@{0}", listing.Query())) is InvalidRef


@pytest.mark.parametrize(
    "text",
    [
        "main@{}",
        "main@{x}",
        "main@{1",
        "main@{1}@",
        "main@{1}$",
        "main~1@{1}",
        "main@{1 }",
        "main@{1.year.ago}",
        "main@{-1}",
        "main@{2025-13-01}",
        "main@{1}{2}",
        "@{1}",
    ],
)
async def test_bad_moments(lake, repo, text):
    assert await error_of(named(lake, repo, text)) is InvalidRef


async def test_reflog_in_pages(lake, repo, four):
    first = await reflog.list_reflog(lake, repo, "main", after="", amount=2)
    assert [(move.sequence, move.new, move.operation) for move in first.items] == [
        (5, four[4], "commit"),
        (4, four[3], "commit"),
    ]
    assert first.has_more
    rest = await reflog.list_reflog(lake, repo, "main", after="4", amount=3)
    assert [move.new for move in rest.items] == [four[2], four[1], four[0]]
    assert (rest.items[-1].old, rest.items[-1].operation, rest.items[-1].at) == ("", "create", START)
    assert not rest.has_more
    for after in ("x", "-1", "٣", "9" * 19):
        assert await error_of(reflog.list_reflog(lake, repo, "main", after=after, amount=3)) is InvalidArgument

# SPDX-License-Identifier: Apache-2.0
"""Ref expressions: every form, every error."""

from __future__ import annotations

import pytest

from lakehouse.core.errors import (
    CommitNotFound,
    InvalidRef,
    NotFound,
    RepositoryInDeletion,
    RepositoryNotFound,
    StagingIsNotCommit,
)
from lakehouse.core.records import RepositoryState
from lakehouse.meta import repositories
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import merge
from lakehouse.versioning.refs import branches, tags
from tests.lakes import ANN, commit_all, link, put

pytestmark = pytest.mark.anyio


@pytest.fixture
async def history(lake, repo, clock):
    """first - second - third(main); side: first - other; merged into main."""
    await put(lake, repo, "main", a="1")
    first = await commit_all(lake, repo, "main", "first")
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await put(lake, repo, "side", s="1")
    other = await commit_all(lake, repo, "side", "other")
    clock.now += 1
    await put(lake, repo, "main", b="1")
    second = await commit_all(lake, repo, "main", "second")
    await merge.merge_into_branch(lake, repo, "side", "main", merge.MergeRequest(), ANN)
    await tags.create_tag(lake, repo, "v1.0", ref="main")
    _, merged = await resolve.commit(lake, repo, "main")
    return {"first": first.id, "other": other.id, "second": second.id, "merged": merged.id}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("main", "merged"),
        ("main@", "merged"),
        ("v1.0", "merged"),
        ("main~", "second"),
        ("main~1", "second"),
        ("main~0", "merged"),
        ("main^", "second"),
        ("main^0", "merged"),
        ("main^1", "second"),
        ("main^2", "other"),
        ("main^2~", "first"),
        ("main~2", "first"),
        ("main~~", "first"),
        ("v1.0^2^", "first"),
        ("side~0^0", "other"),
    ],
)
async def test_expressions(lake, repo, history, text, expected):
    _, commit = await resolve.commit(lake, repo, text)
    assert commit.id == history[expected]


async def test_commit_ids_and_their_beginnings(lake, repo, history):
    for name in ("first", "merged"):
        whole = history[name]
        assert (await resolve.commit(lake, repo, whole))[1].id == whole
        assert (await resolve.commit(lake, repo, whole[:16]))[1].id == whole
        assert (await resolve.commit(lake, repo, whole[:16] + "~0"))[1].id == whole
    with pytest.raises(NotFound):  # five commits of the history and one digit of sixteen: "" begins them all
        await resolve.commit(lake, repo, "0" * 64)


async def test_an_ambiguous_beginning_is_not_found(lake, repo):
    seen = set()
    for number in range(17):  # two of seventeen ids begin with the same digit
        made = await commit_all(lake, repo, "main", str(number), allow_empty=True)
        if made.id[0] in seen:
            with pytest.raises(NotFound):
                await resolve.commit(lake, repo, made.id[0])
            return
        seen.add(made.id[0])
    raise AssertionError("no two ids begin with the same digit")


@pytest.mark.parametrize(
    "text",
    ["main@~", "main~@", "main$1", "main@2", "main~x", "main^-1", "main~1$", "~", "@", "", "v1.0@", "v1.0$", "ma in"],
)
async def test_invalid(lake, repo, history, text):
    with pytest.raises(InvalidRef):
        await resolve.ref(lake, repo, text)


async def test_commits_have_no_staging(lake, repo, history):
    for suffix in "@$":
        with pytest.raises(InvalidRef):
            await resolve.ref(lake, repo, history["first"] + suffix)
    with pytest.raises(StagingIsNotCommit):
        await resolve.commit(lake, repo, "main$")


async def test_beyond_the_root_and_beyond_the_parents(lake, repo, history):
    for text in ("main~4", "main~2147483647", "main~3^1~"):
        with pytest.raises((CommitNotFound, InvalidRef)):
            await resolve.commit(lake, repo, text)
    with pytest.raises(CommitNotFound):
        await resolve.commit(lake, repo, "main~4")
    for text in ("main^3", "main~^2"):
        with pytest.raises(InvalidRef):
            await resolve.commit(lake, repo, text)


async def test_unknown_names(lake, repo, history):
    for text in ("nope", "nope~", "nope@", "zzzz", "fffffffffffffffffff"):
        with pytest.raises(NotFound):
            await resolve.ref(lake, repo, text)
    with pytest.raises(RepositoryNotFound):
        await resolve.ref(lake, "nope", "main")


async def test_a_branch_named_like_a_commit_beats_the_beginning_but_not_the_id(lake, repo, history):
    name = history["first"][:4]
    await branches.create_branch(lake, repo, name, source="main", actor=ANN)
    assert (await resolve.commit(lake, repo, name))[1].id == history["merged"]
    assert (await resolve.commit(lake, repo, history["first"]))[1].id == history["first"]


async def test_a_tag_named_like_a_commit_beats_the_beginning(lake, repo, history):
    name = history["first"][:4]
    await tags.create_tag(lake, repo, name, ref="main")
    assert (await resolve.commit(lake, repo, name))[1].id == history["merged"]


async def test_staging_counts_for_the_plain_branch_only(lake, repo):
    await link(lake, repo, "main", "a")
    assert (await resolve.ref(lake, repo, "main")).staging is not None
    assert (await resolve.ref(lake, repo, "main$")).staging is not None
    assert (await resolve.ref(lake, repo, "main@")).staging is None
    assert (await resolve.ref(lake, repo, "main~0")).staging is None


async def test_a_repository_that_is_being_deleted(lake, repo):
    found = await repositories.find(lake.db, repo)
    await lake.db.apply(repositories.set_state(found.id, RepositoryState.DELETING))
    for work in (resolve.ref(lake, repo, "main"), resolve.branch(lake, repo, "main"), resolve.repository(lake, repo)):
        with pytest.raises(RepositoryInDeletion):
            await work

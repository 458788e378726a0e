# SPDX-License-Identifier: Apache-2.0
"""Branches and tags; protection rules by ETag."""

from __future__ import annotations

import pytest

from lakehouse.core.errors import (
    BranchExists,
    BranchNotFound,
    DefaultBranchDeletion,
    InvalidName,
    NotFound,
    PreconditionFailed,
    ReadOnlyRepository,
    StagingIsNotCommit,
    TagExists,
    TagNotFound,
)
from lakehouse.versioning import protection, resolve
from lakehouse.versioning.refs import branches, tags
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.lakes import ANN, commit_all, error_of, link, seal, shown

pytestmark = pytest.mark.anyio


async def create(lake, repo, name, source="main", **options):
    return await branches.create_branch(lake, repo, name, source=source, actor=ANN, **options)


async def names(lake, repo, kind="branches", **query):
    query = {"prefix": "", "after": "", "amount": 100} | query
    page = await (branches.list_branches if kind == "branches" else branches.list_tags)(lake, repo, **query)
    return [ref.name for ref in page.items], page.has_more


async def test_a_branch_begins_at_the_commit_of_its_source(lake, repo):
    await link(lake, repo, "main", "uncommitted")
    _, head = await resolve.commit(lake, repo, "main")
    assert await create(lake, repo, "side") == head.id
    assert await shown(lake, repo, "side") == {}
    assert (await branches.get_branch(lake, repo, "side")).commit_id == head.id


async def test_names_that_are_wrong_or_taken(lake, repo):
    made = await commit_all(lake, repo, "main", allow_empty=True)
    await tags.create_tag(lake, repo, "v1", ref="main")
    for name in ("", "a/b", "a.b", "-a", "a b", "ä", "x" * 256):
        assert await error_of(create(lake, repo, name)) is InvalidName
    for name in ("main", "v1", made.id, made.id[:12]):
        assert await error_of(create(lake, repo, name)) is BranchExists
    for name in ("main", "v1", made.id):
        assert await error_of(tags.create_tag(lake, repo, name, ref="main")) is TagExists
    for name in ("", "@", "a/b", "a..b", "a.lock", "a.", "a@{b", "a b", "a:b", "a?", "a*", "[", "\\", "a^"):
        assert await error_of(tags.create_tag(lake, repo, name, ref="main")) is InvalidName
    assert await error_of(create(lake, repo, "new", "nope")) is NotFound
    assert await error_of(create(lake, repo, "new", "main$")) is StagingIsNotCommit
    assert await error_of(tags.create_tag(lake, repo, "new", ref="main$")) is StagingIsNotCommit


async def test_short_names_do_not_hang_on_chance(lake, repo):
    """One of these sixteen begins the id of the first commit, and each may be a branch."""
    for digit in "0123456789abcdef":
        await create(lake, repo, digit)
    assert await error_of(create(lake, repo, "a")) is BranchExists
    assert await error_of(tags.create_tag(lake, repo, "b", ref="main")) is TagExists


async def test_lists_of_branches(lake, repo):
    for name in ("b", "a_1", "a_2", "c", "A"):
        await create(lake, repo, name, hidden=name == "c")
    await tags.create_tag(lake, repo, "a_3", ref="main")
    assert await names(lake, repo) == (["A", "a_1", "a_2", "b", "main"], False)
    assert await names(lake, repo, hidden=True) == (["A", "a_1", "a_2", "b", "c", "main"], False)
    assert await names(lake, repo, prefix="a_") == (["a_1", "a_2"], False)
    assert await names(lake, repo, prefix="a_", after="a_1") == (["a_2"], False)
    assert await names(lake, repo, amount=2) == (["A", "a_1"], True)
    assert await names(lake, repo, amount=3, after="a_1") == (["a_2", "b", "main"], False)
    assert (await branches.get_branch(lake, repo, "c")).name == "c"


async def test_lists_of_tags_in_any_script(lake, repo):
    for name in ("ÿ1", "ÿ2", "z", "\U0001f40b", "日本"):
        await tags.create_tag(lake, repo, name, ref="main")
    assert await names(lake, repo, "tags") == (["z", "ÿ1", "ÿ2", "日本", "\U0001f40b"], False)
    assert await names(lake, repo, "tags", prefix="ÿ") == (["ÿ1", "ÿ2"], False)
    assert await names(lake, repo, "tags", prefix="日") == (["日本"], False)


async def test_delete_branch(lake, repo):
    await create(lake, repo, "side")
    await link(lake, repo, "side", "a")
    await seal(lake, repo, "side")
    await link(lake, repo, "side", "b")
    await branches.delete_branch(lake, repo, "side")
    assert await error_of(branches.delete_branch(lake, repo, "side")) is BranchNotFound
    assert await error_of(branches.delete_branch(lake, repo, "main")) is DefaultBranchDeletion
    await create(lake, repo, "side")
    assert await shown(lake, repo, "side") == {}
    assert (await lake.db.all("select count(*) from dropped"))[0][0] == 2


async def test_tags(lake, repo):
    await create(lake, repo, "side")
    head = await commit_all(lake, repo, "side", allow_empty=True)
    assert (await tags.create_tag(lake, repo, "v1", ref="side")).commit_id == head.id
    await branches.delete_branch(lake, repo, "side")
    assert (await tags.get_tag(lake, repo, "v1")).commit_id == head.id
    await tags.delete_tag(lake, repo, "v1")
    for work in (tags.delete_tag(lake, repo, "v1"), tags.get_tag(lake, repo, "v1"), tags.get_tag(lake, repo, "main")):
        assert await error_of(work) is TagNotFound


async def test_read_only(lake):
    await create_repository(lake, RepositoryRequest("fixed", read_only=True))
    assert await error_of(create(lake, "fixed", "side")) is ReadOnlyRepository
    await create(lake, "fixed", "side", force=True)
    assert await error_of(branches.delete_branch(lake, "fixed", "side")) is ReadOnlyRepository
    assert await error_of(tags.create_tag(lake, "fixed", "v1", ref="main")) is ReadOnlyRepository
    await branches.delete_branch(lake, "fixed", "side", force=True)


async def test_rules_by_etag(lake, repo):
    found = await resolve.repository(lake, repo)
    assert (await protection.get(lake, found)).etag == ""
    await protection.set_rules(lake, found, ["b", "a", "b"], if_etag="")
    rules = await protection.get(lake, found)
    assert rules.patterns == ("a", "b")
    for etag in ("", "nope"):
        assert await error_of(protection.set_rules(lake, found, [], if_etag=etag)) is PreconditionFailed
    await protection.set_rules(lake, found, [], if_etag=rules.etag)

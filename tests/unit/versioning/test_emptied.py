# SPDX-License-Identifier: Apache-2.0
"""Repositories that are deleted on condition that they are empty."""

from __future__ import annotations

import asyncio

import pytest

from lakehouse.core.errors import (
    BranchNotFound,
    BucketExists,
    NotFound,
    ReadOnlyRepository,
    RepositoryNotEmpty,
    RepositoryNotFound,
)
from lakehouse.db.statement import Statement
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact
from lakehouse.versioning.objects import objects
from lakehouse.versioning.refs.branches import create_branch
from lakehouse.versioning.refs.emptied import delete_emptied
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.lakes import commit_all, link, put

pytestmark = pytest.mark.anyio


async def test_an_empty_one_goes_and_its_name_is_free(lake, repo) -> None:
    await delete_emptied(lake, repo)
    with pytest.raises(RepositoryNotFound):
        await resolve.repository(lake, repo)
    await create_repository(lake, RepositoryRequest(name=repo))
    with pytest.raises(RepositoryNotFound):
        await delete_emptied(lake, "absent")


async def test_what_shows_something_stays(lake, repo, actor) -> None:
    await put(lake, repo, "main", a="1")
    with pytest.raises(RepositoryNotEmpty):
        await delete_emptied(lake, repo)
    await commit_all(lake, repo, "main")
    with pytest.raises(RepositoryNotEmpty):
        await delete_emptied(lake, repo)
    await create_branch(lake, repo, "work", source="main", actor=actor)
    await objects.delete_object(lake, repo, "main", b"a")
    with pytest.raises(RepositoryNotEmpty, match="branches"):
        await delete_emptied(lake, repo)


@pytest.mark.parametrize("folded", [False, True])
async def test_tombstones_are_nothing(lake, repo, folded) -> None:
    await put(lake, repo, "main", a="1", b="1")
    await commit_all(lake, repo, "main")
    for path in (b"a", b"b"):
        await objects.delete_object(lake, repo, "main", path)
    if folded:
        _, branch = await resolve.branch(lake, repo, "main")
        assert await compact.compact(lake, repo, branch, anyway=True)
    await delete_emptied(lake, repo)
    with pytest.raises(RepositoryNotFound):
        await resolve.repository(lake, repo)


async def test_a_refusal_of_what_is_also_done_takes_all_back(lake, repo) -> None:
    refusal = Statement("select 1 from users where id = -1", rows=1, otherwise=BucketExists())
    with pytest.raises(BucketExists):
        await delete_emptied(lake, repo, also=[refusal])
    await put(lake, repo, "main", a="1")
    assert (await resolve.repository(lake, repo)).name == repo


async def test_a_read_only_one_stays(lake) -> None:
    await create_repository(lake, RepositoryRequest(name="frozen", read_only=True))
    with pytest.raises(ReadOnlyRepository):
        await delete_emptied(lake, "frozen")


async def test_a_write_beside_it_is_seen_or_refused(lake, test_rounds) -> None:
    """Never acknowledged and gone."""
    for number in range(10 * test_rounds):
        name = f"repo-{number}"
        await create_repository(lake, RepositoryRequest(name=name))
        written, gone = await asyncio.gather(
            link(lake, name, "main", "a"), delete_emptied(lake, name), return_exceptions=True
        )
        if isinstance(written, BaseException):
            assert isinstance(written, NotFound | BranchNotFound) or "deletion" in str(written)
            assert gone is None
        else:
            assert isinstance(gone, RepositoryNotEmpty)

# SPDX-License-Identifier: Apache-2.0
"""Repositories: names, namespaces and their markers, deletion, and creations that were cut off."""

from __future__ import annotations

import msgspec
import pytest

from lakehouse.core.errors import (
    InvalidName,
    NamespaceInUse,
    ReadOnlyRepository,
    RepositoryExists,
    RepositoryNotFound,
    StorageUnavailable,
    UnknownStorage,
)
from lakehouse.objects.port import Location
from lakehouse.versioning import resolve
from lakehouse.versioning.refs import branches, repositories
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository, delete_repository
from tests.lakes import commit_all, error_of, link, shown

pytestmark = pytest.mark.anyio


async def create(lake, name, namespace=None, **options):
    return await create_repository(lake, RepositoryRequest(name, namespace, **options))


async def test_the_first_commit(lake, repo):
    _, first = await resolve.commit(lake, repo, "main")
    assert (first.committer, first.root, first.metadata, first.parents) == ("", "", {}, ())
    assert (first.generation, first.version, first.message) == (1, 1, "Repository created")


async def test_the_servers_own_namespace_holds_the_id(lake):
    one = await create(lake, "one")
    assert one.storage_namespace == f"mem://example-bucket/one/{one.id}/"
    await delete_repository(lake, "one", force=False)
    again = await create(lake, "one")
    assert again.id > one.id
    assert again.storage_namespace != one.storage_namespace


@pytest.mark.parametrize(
    "namespace", ["mem://b/x", "mem://b/x/", "mem://b/x/y", "mem://b/x/y/z/", "mem://b/", "mem://b"]
)
async def test_inside_and_around_another(lake, namespace):
    await create(lake, "one", "mem://b/x/")
    assert await error_of(create(lake, "two", namespace)) is NamespaceInUse
    await create(lake, "three", "mem://b/xy")
    await create(lake, "four", "mem://c/x")


@pytest.mark.parametrize("options", [{"bare": True}, {"read_only": True}])
async def test_sharing_leaves_the_owners_marker(lake, options):
    one = await create(lake, "one", "mem://b/x/")
    await create(lake, "two", "mem://b/x/", **options)
    marker = await lake.stores.default.objects.get(Location("b", "x/_lakehouse/repository"))
    assert msgspec.json.decode(await marker.read())["repository"] == one.id


@pytest.mark.parametrize("key", ["_lakefs/dummy", "dummy", "_lakehouse/repository"])
async def test_foreign_markers(lake, key):
    await lake.stores.default.objects.put(Location("b", f"x/{key}"), b"this is dummy data")
    assert await error_of(create(lake, "one", "mem://b/x")) is NamespaceInUse


async def test_the_marker_stays_after_deletion(lake):
    await create(lake, "one", "mem://b/x/")
    await delete_repository(lake, "one", force=False)
    assert await error_of(delete_repository(lake, "one", force=False)) is RepositoryNotFound
    assert await error_of(create(lake, "one", "mem://b/x/")) is NamespaceInUse


async def test_the_whole_of_the_servers_own_bucket_is_no_namespace(lake):
    assert await error_of(create(lake, "one", "mem://example-bucket/")) is NamespaceInUse


async def test_order_of_checks(lake, repo):
    assert await error_of(create(lake, repo, "s3://other-store/x")) is RepositoryExists
    assert await error_of(create(lake, "new", "s3://other-store/x")) is UnknownStorage
    assert await error_of(create(lake, "new", storage_id="nope")) is UnknownStorage
    assert await error_of(create(lake, "No")) is InvalidName
    assert await error_of(create(lake, "new", default_branch="a/b")) is InvalidName


async def test_bare_has_no_branch(lake):
    await create(lake, "bare", bare=True)
    page = await branches.list_branches(lake, "bare", prefix="", after="", amount=10)
    assert page.items == ()


async def test_read_only_is_deleted_by_force_only(lake):
    await create(lake, "one", read_only=True)
    assert await error_of(delete_repository(lake, "one", force=False)) is ReadOnlyRepository
    await delete_repository(lake, "one", force=True)


@pytest.mark.parametrize("namespace", [None, "mem://b/x/"])
async def test_a_store_that_fails_leaves_nothing(lake, monkeypatch, namespace):
    objects = lake.stores.default.objects
    put = objects.put

    async def fails(*args, **options):
        raise StorageUnavailable

    monkeypatch.setattr(objects, "put", fails)
    assert await error_of(create(lake, "one", namespace)) is StorageUnavailable
    assert await error_of(resolve.repository(lake, "one")) is RepositoryNotFound
    monkeypatch.setattr(objects, "put", put)
    await create(lake, "two", namespace)
    await create(lake, "one")


async def test_a_creation_that_was_cut_off_is_taken_over(lake, monkeypatch):
    objects = lake.stores.default.objects
    put = objects.put

    async def dies(*args, **options):
        await put(*args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(objects, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        await create(lake, "one", "mem://b/x/")
    monkeypatch.setattr(objects, "put", put)
    for work in (
        resolve.repository(lake, "one"),
        delete_repository(lake, "one", force=False),
        shown(lake, "one", "main"),
    ):
        assert await error_of(work) is RepositoryNotFound
    page = await repositories.list_repositories(lake, prefix="", after="", search="", amount=10)
    assert page.items == ()
    await create(lake, "one", "mem://b/x/")
    await link(lake, "one", "main", "a")
    await commit_all(lake, "one", "main")


async def test_lists(lake):
    for name in ("abc", "abd", "b-abc", "zzz"):
        await create(lake, name)

    async def names(prefix="", after="", search="", amount=10):
        page = await repositories.list_repositories(lake, prefix=prefix, after=after, search=search, amount=amount)
        return [one.name for one in page.items], page.has_more

    assert await names() == (["abc", "abd", "b-abc", "zzz"], False)
    assert await names(prefix="ab") == (["abc", "abd"], False)
    assert await names(prefix="ab", after="abc") == (["abd"], False)
    assert await names(prefix="b", after="a") == (["b-abc"], False)
    assert await names(search="abc") == (["abc", "b-abc"], False)
    assert await names(amount=2) == (["abc", "abd"], True)
    assert await names(amount=2, after="abd") == (["b-abc", "zzz"], False)


async def test_metadata(lake, repo):
    await repositories.update_metadata(lake, repo, put={"a": "1", "b": "2"})
    await repositories.update_metadata(lake, repo, put={"b": "3"}, remove=["a", "never"])
    assert (await resolve.repository(lake, repo)).metadata == {"b": "3"}

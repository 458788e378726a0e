# SPDX-License-Identifier: Apache-2.0
"""Uploads in parts to paths of branches: cut off half-way, given up, forgotten."""

from __future__ import annotations

import pytest

from lakehouse.core.errors import UploadNotFound
from lakehouse.core.paths import parse_path
from lakehouse.objects.local import open_local_store
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import multipart
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository, delete_repository
from lakehouse.versioning.work import sweeping
from tests.lakes import error_of, open_lake, shown

pytestmark = pytest.mark.anyio


@pytest.fixture
async def lake(metadata, clock, tmp_path):
    lake = await open_lake(metadata, clock=clock, objects=await open_local_store(tmp_path / "objects", clock=clock))
    yield lake
    await lake.background.drain()
    await lake.stores.close()
    await lake.db.close()


async def begin(lake, path="a"):
    identifier = await multipart.create(lake, "lakes", "main", parse_path(path), content_type="a/b", metadata={})
    return await multipart.find(lake, await resolve.repository(lake, "lakes"), identifier, f"main/{path}".encode())


async def in_store(lake):
    found, _ = await lake.stores.default.uploads.uploads("lake.local")
    return len(found)


async def test_a_completion_that_was_cut_off_goes_on(lake, repo):
    begun = await begin(lake)
    part = await multipart.put_part(lake, begun, 1, b"part", size=4)
    store, at = lake.stores.default, lake.place(begun.repository).locate(begun.upload.address)
    await store.uploads.complete(at, begun.upload.store_id, [(1, part.etag)])  # and then the server died
    assert await shown(lake, repo, "main") == {}
    entry = await multipart.complete(lake, begun, [(1, part.etag)])
    assert (entry.size, entry.parts) == (4, 1)
    assert await shown(lake, repo, "main") == {"a": entry.checksum}
    assert await error_of(multipart.complete(lake, begun, [(1, part.etag)])) is UploadNotFound


async def test_what_nobody_finishes_is_given_up(lake, repo, clock):
    old = await begin(lake, "old")
    await multipart.put_part(lake, old, 1, b"part", size=4)
    clock.now += 3 * 86_400
    young = await begin(lake, "young")
    assert await sweeping.sweep(lake) == 0
    clock.now += 5 * 86_400
    assert await sweeping.sweep(lake) == 1
    assert await in_store(lake) == 1
    assert await error_of(multipart.put_part(lake, old, 1, b"x", size=1)) is UploadNotFound
    assert await error_of(multipart.find(lake, old.repository, old.upload.id, b"main/old")) is UploadNotFound
    part = await multipart.put_part(lake, young, 1, b"part", size=4)
    await multipart.complete(lake, young, [(1, part.etag)])


async def test_a_deleted_repository_takes_its_uploads_along(lake, repo):
    begun = await begin(lake)
    await delete_repository(lake, repo, force=False)
    await create_repository(lake, RepositoryRequest(name=repo))
    again = await resolve.repository(lake, repo)
    assert await error_of(multipart.find(lake, again, begun.upload.id, b"main/a")) is UploadNotFound
    assert await multipart.list_uploads(lake, again, prefix=b"", after=(b"", ""), limit=9) == ([], False)

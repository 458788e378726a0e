# SPDX-License-Identifier: Apache-2.0
"""Uploads in parts and conditional writes, cut off before and after every call of a port.

The path shows the object or it does not; an upload that was not finished can be finished or given up again, and then
neither a row nor a part is left.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest

from lakehouse.core.errors import PreconditionFailed, UploadNotFound
from lakehouse.core.paths import parse_path
from lakehouse.objects.local import open_local_store
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import multipart, writing
from lakehouse.versioning.refs import repositories
from lakehouse.versioning.refs.repositories import RepositoryRequest
from lakehouse.versioning.state.stores import Stores
from tests.crash.ports import Died, DyingDatabase, DyingStore, DyingUploads, Fuse
from tests.lakes import error_of, open_lake, shown

pytestmark = pytest.mark.anyio
BODY = b"the only part"


@pytest.fixture
async def lake(tmp_path):
    lake = await open_lake(tmp_path / "metadata.sqlite", objects=await open_local_store(tmp_path / "objects"))
    await repositories.create_repository(lake, RepositoryRequest("lakes"))
    yield lake
    await lake.background.drain()
    await lake.stores.close()
    await lake.db.close()


def dying(lake, fuse):
    """The same lake through ports that die."""
    store = lake.stores.default
    mortal = msgspec.structs.replace(
        store, objects=DyingStore(store.objects, fuse), uploads=DyingUploads(store.uploads, fuse)
    )
    return msgspec.structs.replace(lake, db=DyingDatabase(lake.db, fuse), stores=Stores((mortal,)))


async def begin(lake, path):
    identifier = await multipart.create(lake, "lakes", "main", parse_path(path), content_type="", metadata={})
    begun = await multipart.find(lake, await resolve.repository(lake, "lakes"), identifier, f"main/{path}".encode())
    part = await multipart.put_part(lake, begun, 1, BODY, size=len(BODY))
    return begun, [(1, part.etag)]


async def unfinished(lake):
    """Uploads that the database knows, and those that the store knows."""
    repository = await resolve.repository(lake, "lakes")
    known, _ = await multipart.list_uploads(lake, repository, prefix=b"", after=(b"", ""), limit=100)
    stored, _ = await lake.stores.default.uploads.uploads("lake.local")
    return len(known), len(stored)


async def deaths(lake, work):
    """Run `work(lake, name)` dying at every step in turn; yields the name of each that died."""
    for after in (False, True):
        for at in range(1, 100):
            fuse, name = Fuse(at, after=after), f"{'after' if after else 'before'}-{at}"
            ready = await begin(lake, name)
            with suppress(Died):
                await work(dying(lake, fuse), *ready)
            if not fuse.blown:
                break
            yield name, ready


async def completes(lake, begun, parts):
    await multipart.complete(lake, begun, parts)


async def gives_up(lake, begun, _):
    with suppress(UploadNotFound):
        await multipart.abort(lake, begun)


async def test_completing(lake):
    steps = 0
    async for name, (begun, parts) in deaths(lake, completes):
        steps += 1
        if name in await shown(lake, "lakes", "main"):
            assert await error_of(multipart.complete(lake, begun, parts)) is UploadNotFound
        else:
            await multipart.complete(lake, begun, parts)
        assert name in await shown(lake, "lakes", "main")
    assert steps >= 6
    assert await unfinished(lake) == (0, 0)


async def test_giving_up(lake):
    steps = 0
    async for name, (begun, _) in deaths(lake, gives_up):
        steps += 1
        assert await error_of(multipart.abort(lake, begun)) in (None, UploadNotFound)
        assert name not in await shown(lake, "lakes", "main")
    assert steps >= 4
    assert await unfinished(lake) == (0, 0)


@pytest.mark.parametrize("absent", [False, True])
async def test_writing(lake, absent):
    condition = writing.Condition(absent=absent)

    async def write(lake, path):
        place = await writing.target(lake, "lakes", "main", parse_path(path), condition=condition)
        await writing.write(lake, place, BODY, size=len(BODY), content_type="", metadata={}, condition=condition)

    for after in (False, True):
        fuse, at = Fuse(1, after=after), 1
        while True:
            name = f"{after}-{at}"
            with suppress(Died):
                await write(dying(lake, fuse), name)
            if not fuse.blown:
                break
            there = name in await shown(lake, "lakes", "main")
            assert await error_of(write(lake, name)) is (PreconditionFailed if there and absent else None)
            assert name in await shown(lake, "lakes", "main")
            at += 1
            fuse = Fuse(at, after=after)
        assert at > 3

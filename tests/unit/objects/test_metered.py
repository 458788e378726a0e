# SPDX-License-Identifier: Apache-2.0
"""Stores that count: what is counted, and that they can do exactly what the counted store can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lakehouse.core.errors import StorageUnavailable, StoredObjectNotFound, UploadNotFound
from lakehouse.objects.local import open_local_store
from lakehouse.objects.memory import MemoryStore
from lakehouse.objects.metered import MeteredUploads, StoreFigures, metered
from lakehouse.objects.port import BatchStore, Location, PutMode, Small

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
PLACE = Location("lake.local", "a/b")


class Broken(MemoryStore):
    """Nothing can be had of it."""

    async def head(self, location):
        raise StorageUnavailable("broken")


async def test_calls_and_bytes() -> None:
    figures = StoreFigures()
    store = metered(MemoryStore(), figures)
    await store.put(PLACE, b"12345", content_type="a/b", metadata={"k": "v"})
    await store.copy(PLACE, Location("lake.local", "c"))
    assert await (await store.get(PLACE)).read() == b"12345"
    assert (await store.head(PLACE)).metadata == {"k": "v"}
    assert [one.key for one in (await store.list("lake.local"))[0]] == ["a/b", "c"]
    await store.delete([PLACE])
    with pytest.raises(StoredObjectNotFound):
        await store.get(PLACE)
    done = {call: count for (call, outcome), count in figures.ended.items() if outcome == "done" and count}
    assert done == {"put": 1, "copy": 1, "get": 1, "head": 1, "list": 1, "delete": 1}
    assert figures.ended["get", "refused"] == 1
    assert sum(count for (_, outcome), count in figures.ended.items() if outcome == "failed") == 0
    assert (figures.received, figures.sent) == (5, 5)
    assert sum(figures.seconds["get"].counts) == 2
    assert store.describe() == MemoryStore().describe()
    await store.close()


async def test_refused_is_not_failed() -> None:
    figures = StoreFigures()
    store = metered(Broken(), figures)
    with pytest.raises(StorageUnavailable):
        await store.head(PLACE)
    assert (figures.ended["head", "failed"], figures.ended["head", "refused"]) == (1, 0)
    await store.put(PLACE, b"1")
    with pytest.raises(Exception, match=r"\w"):
        await store.put(PLACE, b"2", mode=PutMode.CREATE)
    assert (figures.ended["put", "done"], figures.ended["put", "refused"]) == (1, 1)


async def test_batches_only_where_there_are_batches(tmp_path: Path) -> None:
    assert not isinstance(metered(MemoryStore(), StoreFigures()), BatchStore)
    local = await open_local_store(tmp_path)
    figures = StoreFigures()
    store = metered(local, figures)
    assert isinstance(store, BatchStore)
    await store.put_batch([Small(PLACE, b"123", "e")], content_type="a/b")
    assert (figures.ended["put_batch", "done"], figures.received) == (1, 3)
    await store.close()


async def test_uploads(tmp_path: Path) -> None:
    local = await open_local_store(tmp_path)
    figures = StoreFigures()
    uploads = MeteredUploads(local.uploads, figures)
    name = await uploads.create(PLACE, content_type="a/b")
    part = await uploads.put_part(PLACE, name, 1, b"part")
    assert [one.number for one in (await uploads.parts(PLACE, name))[0]] == [1]
    assert [one.id for one in (await uploads.uploads("lake.local"))[0]] == [name]
    await uploads.complete(PLACE, name, [(1, part.etag)])
    again = await uploads.create(PLACE)
    await uploads.copy_part(PLACE, again, 1, PLACE)
    await uploads.abort(PLACE, again)
    with pytest.raises(UploadNotFound):
        await uploads.put_part(PLACE, again, 1, b"x")
    done = {call: count for (call, outcome), count in figures.ended.items() if outcome == "done" and count}
    assert done == {
        "create_upload": 2, "put_part": 1, "copy_part": 1, "list_parts": 1, "list_uploads": 1, "complete_upload": 1,
        "abort_upload": 1,
    }  # fmt: skip
    assert (figures.ended["put_part", "refused"], figures.received) == (1, 4)
    await local.close()

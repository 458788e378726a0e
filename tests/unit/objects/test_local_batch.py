# SPDX-License-Identifier: Apache-2.0
"""Batches of the embedded store: all or nothing, durable, and objects like any other."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lakehouse.core.errors import StorageFull, StorageUnavailable
from lakehouse.objects import local_batch, segment_file, segments
from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import BatchStore, Location, Small
from tests.stored import stored

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def small(key: str, body: bytes, etag: str = "e" * 32) -> Small:
    return Small(Location("lake.local", key), body, etag)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("objects/*/*"))


async def read(store, key: str) -> bytes:
    return await (await store.get(Location("lake.local", key))).read()


async def test_what_is_stored_together_reads_as_any_object(tmp_path):
    store = await open_local_store(tmp_path)
    assert isinstance(store, BatchStore)
    await store.put_batch([])
    await store.put_batch([small(f"n/{at}", b"%d" % at, f"{at:032}") for at in range(40)], content_type="x/y")
    before, more = await store.list("lake.local", prefix="n/")
    assert (len(before), more) == (40, False)
    info = await store.head(Location("lake.local", "n/7"))
    assert (info.size, info.etag, info.content_type) == (1, f"{7:032}", "x/y")
    await store.close()
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    store = await open_local_store(tmp_path)
    assert (await store.list("lake.local", prefix="n/"))[0] == before
    assert [await read(store, f"n/{at}") for at in range(40)] == [b"%d" % at for at in range(40)]
    await store.close()


async def test_what_it_replaces_is_removed(tmp_path):
    store = await open_local_store(tmp_path)
    await store.put(Location("lake.local", "a"), b"old")
    await store.put_batch([small("a", b"first"), small("b", b"b"), small("a", b"last")])
    assert await read(store, "a") == b"last"
    await store.close()
    assert len(stored(tmp_path)) == 2


async def test_one_commit_and_one_sync(tmp_path, monkeypatch):
    store = await open_local_store(tmp_path)
    done = []
    fsync, fdatasync, run = os.fsync, os.fdatasync, store._index.run

    def folder_synced(file):
        done.append("folder")
        fsync(file)

    def synced(file):
        done.append("file")
        fdatasync(file)

    async def committed(job, **options):
        done.append("rows")
        return await run(job, **options)

    monkeypatch.setattr(segment_file.os, "fsync", folder_synced)
    monkeypatch.setattr(segment_file.os, "fdatasync", synced)
    monkeypatch.setattr(store._index, "run", committed)
    for _ in range(2):
        await store.put_batch([small(f"n/{at}", b"x") for at in range(100)])
    assert done == ["folder", "file", "rows", "file", "rows"]
    monkeypatch.undo()
    await store.close()


@pytest.mark.parametrize("share", [0, 2])
async def test_a_piece_that_fails_takes_the_others_with_it(tmp_path, monkeypatch, share):
    """A large batch is written in several pieces."""
    store = await open_local_store(tmp_path)
    append, calls = segment_file.SegmentFile.append, []

    def failing(self, records):
        calls.append(len(records))
        if len(calls) == share + 1:
            raise StorageFull
        return append(self, records)

    monkeypatch.setattr(local_batch, "GROUP", 10)
    monkeypatch.setattr(segments, "GROUP", 10)
    monkeypatch.setattr(segment_file.SegmentFile, "append", failing)
    with pytest.raises(StorageFull):
        await store.put_batch([small(f"n/{at}", b"x") for at in range(40)])
    assert calls == [10, 10, 10, 10]
    assert stored(tmp_path) == []
    assert await store.list("lake.local") == ([], False)
    await store.close()
    assert files(tmp_path) == []


async def test_a_full_index_removes_the_records(tmp_path, monkeypatch):
    store = await open_local_store(tmp_path)

    async def full(*_):
        raise StorageFull

    monkeypatch.setattr(store._index, "put_many", full)
    with pytest.raises(StorageFull):
        await store.put_batch([small("a", b"1"), small("b", b"2")])
    assert stored(tmp_path) == []
    await store.close()
    assert files(tmp_path) == []


async def test_a_doubtful_commit_is_judged_when_the_segment_is_closed(tmp_path, monkeypatch):
    store = await open_local_store(tmp_path)
    put_many = store._index.put_many

    async def lost(*arguments):
        await put_many(*arguments)
        raise StorageUnavailable

    async def failed(*_):
        raise StorageUnavailable

    for key, how in (("stored", lost), ("never", failed)):
        monkeypatch.setattr(store._index, "put_many", how)
        with pytest.raises(StorageUnavailable):
            await store.put_batch([small(key, key.encode())])
    assert len(stored(tmp_path)) == 2
    await store.close()
    assert len(stored(tmp_path)) == 1
    store = await open_local_store(tmp_path)
    assert await read(store, "stored") == b"stored"
    await store.close()
    assert len(stored(tmp_path)) == 1


_FULL = """
import asyncio, resource, sys
from lakehouse.core.errors import StorageFull
from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import Location, Small

async def main():
    store = await open_local_store(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
    sizes = [700_000 if at == 17 else 1000 for at in range(40)]
    try:
        await store.put_batch([Small(Location("b.x", str(at)), bytes(size), "e") for at, size in enumerate(sizes)])
    except StorageFull:
        print("full")
    await store.close()

asyncio.run(main())
"""


async def test_a_full_disk_stores_nothing_and_leaves_nothing(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.split() == ["full"], told.stderr
    assert files(tmp_path) == []

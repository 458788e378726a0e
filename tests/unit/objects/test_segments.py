# SPDX-License-Identifier: Apache-2.0
"""Small objects share files: who shares a sync with whom, what errors cost, what a crash leaves, what is accounted."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys

import pytest

from lakehouse.core.errors import ContentDiffers, PreconditionFailed, StorageFull, StorageUnavailable
from lakehouse.objects import segment_file, segments
from lakehouse.objects.local import open_local_store
from lakehouse.objects.local_write import RECORD
from lakehouse.objects.port import ByteRange, Match, PutMode, Small
from lakehouse.objects.segment_index import weight
from tests.stored import account, at, read, records, stored
from tests.stored import segments as segments_of

pytestmark = pytest.mark.anyio


async def test_small_objects_share_a_file(tmp_path, store):
    bodies = {f"k{size}": os.urandom(size) for size in (0, 1, 7, 8, 4096, RECORD)}
    for key, body in bodies.items():
        await store.put(at(key), body, content_type="a/b", metadata={"x": key})
    await store.put(at("large"), bytes(RECORD + 1))
    assert len(segments_of(tmp_path)) == 1
    assert len(list(tmp_path.glob("objects/*/*"))) == 2
    for key, body in bodies.items():
        assert await read(store, key) == body
        info = await store.head(at(key))
        assert (info.size, info.content_type, info.metadata) == (len(body), "a/b", {"x": key})
    assert await read(store, "k4096", ByteRange(10, 19)) == bodies["k4096"][10:20]
    copied = await store.copy(at("k8"), at("copy"))
    assert (await read(store, "copy"), copied.metadata) == (bodies["k8"], {"x": "k8"})
    assert len(segments_of(tmp_path)) == 1
    ((live, weighs, total),) = account(store).values()
    assert (live, weighs, total) == (7, weight([len(body) for body in [*bodies.values(), bodies["k8"]]]), None)


async def test_writes_that_come_during_a_sync_share_the_next(store, monkeypatch):
    """However many they are: the first is written at once, and all the others together."""
    await store.put(at("first"), b"")
    syncs = []
    fdatasync = os.fdatasync
    monkeypatch.setattr(segment_file.os, "fdatasync", lambda file: (syncs.append(file), fdatasync(file)))
    await asyncio.gather(*(store.put(at(f"k{number}"), b"x") for number in range(50)))
    assert len(syncs) <= 2
    assert len((await store.list("lake.local", prefix="k"))[0]) == 50
    await store.put(at("alone"), b"")
    assert len(syncs) <= 3


async def test_a_small_write_does_not_wait_for_bulk(store, monkeypatch):
    """It shares the write of one piece of a batch; the rest of the batch comes after it."""
    append, writes = segment_file.SegmentFile.append, []

    def noted(self, made):
        writes.append([record.label.key for record in made])
        return append(self, made)

    monkeypatch.setattr(segment_file.SegmentFile, "append", noted)
    monkeypatch.setattr(segments, "BULK", 1000)
    monkeypatch.setattr("lakehouse.objects.local_batch.GROUP", 1000)
    batch = [Small(at(f"n{number}"), bytes(1000), "e") for number in range(10)]
    await asyncio.gather(store.put_batch(batch), *(store.put(at(f"k{number}"), b"x") for number in range(3)))
    after = next(number for number, keys in enumerate(writes) if b"k2" in keys)
    assert after <= 2
    assert len(writes) == 10
    assert len((await store.list("lake.local"))[0]) == 13


@pytest.mark.parametrize("size", [1, RECORD + 1])
async def test_what_the_modes_leave(tmp_path, store, size):
    """A record that did not become an object is struck out, and is none when the index is lost."""
    first, other = bytes(size), b"\1" * size
    info = await store.put(at("k"), first, mode=PutMode.ONCE)
    assert await store.put(at("k"), first, mode=PutMode.ONCE) == info
    with pytest.raises(ContentDiffers):
        await store.put(at("k"), other, mode=PutMode.ONCE)
    with pytest.raises(PreconditionFailed):
        await store.put(at("k"), other, mode=PutMode.CREATE)
    with pytest.raises(PreconditionFailed):
        await store.put(at("k"), other, mode=Match(frozenset({"none"})))
    await store._files.settle()
    assert len(stored(tmp_path)) == 1
    await store.put(at("k"), other, mode=Match(frozenset({info.etag})))
    await store._files.settle()
    assert len(stored(tmp_path)) == 1
    assert await read(store, "k") == other
    assert [live for live, _, _ in account(store).values()] == [1] * (size == 1)


async def test_a_segment_goes_with_its_last_object(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT", 5000)
    store = await open_local_store(tmp_path)
    for number in range(12):
        await store.put(at(f"k{number}"), bytes(1000))
    await store._files.settle()
    closed = [name for name, (_, _, total) in account(store).items() if total is not None]
    assert (len(account(store)), len(closed)) == (3, 2)
    assert [account(store)[name] for name in closed] == [(5, weight([1000] * 5), weight([1000] * 5))] * 2
    await store.delete([at(f"k{number}") for number in range(12)])
    await store._files.settle()
    (left,) = segments_of(tmp_path)
    assert left.name not in closed, "the one that is written stays"
    assert set(store._index.trash()) == set(store._index._removed) != set()
    await store.put(at("more"), b"1")
    assert len(segments_of(tmp_path)) == 1
    await store.delete([at("more")])
    await store.close()
    assert segments_of(tmp_path) == []


async def test_a_segment_is_closed_only_when_the_index_knows_its_records(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT", 100)
    store = await open_local_store(tmp_path)
    put, going, waiting = store._index.put, asyncio.Event(), asyncio.Event()

    async def slow(*arguments):
        waiting.set()
        await going.wait()
        return await put(*arguments)

    monkeypatch.setattr(store._index, "put", slow)
    task = asyncio.ensure_future(store.put(at("slow"), bytes(200)))
    await waiting.wait()
    monkeypatch.setattr(store._index, "put", put)
    await store.put(at("fast"), bytes(200))
    assert len(segments_of(tmp_path)) == 2
    assert len(account(store)) == 1
    going.set()
    await task
    await store._files.settle()
    assert [(live, total) for live, _, total in account(store).values()] == [(1, weight([200]))] * 2
    await store.close()


async def test_the_end_is_cut_to_the_records(tmp_path):
    store = await open_local_store(tmp_path)
    await store.put(at("k"), b"x")
    (path,) = segments_of(tmp_path)
    assert path.stat().st_size > segment_file.AHEAD
    await store.close()
    assert path.stat().st_size < 400


async def test_two_processes_write_segments_of_their_own(tmp_path):
    one, two = await open_local_store(tmp_path), await open_local_store(tmp_path)
    await asyncio.gather(*(store.put(at(f"n/{n}"), b"%d" % n) for n in range(30) for store in (one, two)))
    assert len(segments_of(tmp_path)) == 2
    assert [await read(two, f"n/{n}") for n in range(30)] == [b"%d" % n for n in range(30)]
    await one.delete([at(f"n/{n}") for n in range(0, 30, 2)])
    await one._files.settle()
    assert sum(live for live, _, _ in account(two).values()) == 15 == len(stored(tmp_path))
    await two.close()
    await one.close()


# -- errors ------------------------------------------------------------------------------------------------------------


async def test_a_sync_that_fails_ends_the_segment(tmp_path, store, monkeypatch):
    await store.put(at("before"), b"before")

    def fails(_):
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(segment_file.os, "fdatasync", fails)
    done = await asyncio.gather(*(store.put(at(f"k{n}"), b"x") for n in range(5)), return_exceptions=True)
    assert {type(error) for error in done} == {StorageUnavailable}
    monkeypatch.undo()
    await store.put(at("after"), b"after")
    await store._files.settle()
    assert len(segments_of(tmp_path)) == 2
    assert [line.key for line in (await store.list("lake.local"))[0]] == ["after", "before"]
    assert [await read(store, key) for key in ("before", "after")] == [b"before", b"after"]
    assert len(stored(tmp_path)) == 2


async def test_a_write_that_finds_no_room_is_cut_off(tmp_path, store, monkeypatch):
    """Of those that were to be written together none is stored; the segment goes on where it was good."""
    await store.put(at("before"), b"before")
    (path,) = segments_of(tmp_path)
    pwrite = os.pwrite

    def half(file, data, place):
        if len(data) > 20_000:
            raise OSError(errno.ENOSPC, "no room")
        return pwrite(file, bytes(data)[: max(len(data) // 2, 1)], place)

    monkeypatch.setattr(segment_file.os, "pwrite", half)
    await store.put(at("in steps"), b"s" * 10_000)
    with pytest.raises(StorageFull):
        await store.put(at("k"), bytes(50_000))
    monkeypatch.undo()
    await store.put(at("after"), b"after")
    assert segments_of(tmp_path) == [path]
    assert [await read(store, key) for key in ("before", "in steps", "after")] == [b"before", b"s" * 10_000, b"after"]
    assert len(records(path)) == 3


async def test_who_cannot_be_stored_takes_nobody_along(store, monkeypatch):
    """Labels that cannot be written, bodies for which there is no room: the others of the group are stored."""
    pwrite = os.pwrite

    def full(file, data, place):
        if b"large" in bytes(data):
            raise OSError(errno.ENOSPC, "no room")
        return pwrite(file, data, place)

    monkeypatch.setattr(segment_file.os, "pwrite", full)
    await store.put(at("begun"), b"")
    puts = [store.put(at(f"k{n}"), b"large" if n == 3 else b"x", content_type="\udcff" * (n == 5)) for n in range(8)]
    done = await asyncio.gather(*puts, return_exceptions=True)
    assert [n for n, one in enumerate(done) if isinstance(one, Exception)] == [3, 5]
    assert isinstance(done[3], StorageFull)
    assert isinstance(done[5], UnicodeEncodeError)
    kept = [line.key for line in (await store.list("lake.local", prefix="k"))[0]]
    assert kept == ["k0", "k1", "k2", "k4", "k6", "k7"]
    assert [await read(store, key) for key in kept] == [b"x"] * 6


_FULL = """
import asyncio, resource, sys
from lakehouse.core.errors import StorageFull
from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import Location

async def main():
    store = await open_local_store(sys.argv[1])
    await store.put(Location("b.x", "before"), b"before")
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
    puts = [store.put(Location("b.x", f"k{n}"), bytes(100_000)) for n in range(8)]
    done = await asyncio.gather(*puts, return_exceptions=True)
    print(sum(isinstance(one, StorageFull) for one in done) > 0)
    stored = {f"k{n}" for n, one in enumerate(done) if not isinstance(one, Exception)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.put(Location("b.x", "after"), bytes(100_000))
    found, _ = await store.list("b.x")
    print({line.key for line in found} == {"before", "after", *stored})
    for line in found:
        await (await store.get(Location("b.x", line.key))).read()
    await store.close()

asyncio.run(main())
"""


async def test_a_full_disk(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.split() == ["True", "True"], told.stderr
    store = await open_local_store(tmp_path)
    assert len(stored(tmp_path)) == len((await store.list("b.x"))[0])
    await store.close()


async def test_a_segment_that_cannot_be_closed_is_closed_at_the_next_start(tmp_path, monkeypatch, caplog):
    store = await open_local_store(tmp_path)
    await store.put(at("k"), b"k")
    close = segment_file.SegmentFile.close

    def fails(self):
        close(self)
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(segment_file.SegmentFile, "close", fails)
    await store.close()
    assert "could not be closed" in caplog.text
    again = await open_local_store(tmp_path)
    await again._files.settle()
    assert list(account(again).values()) == [(1, weight([1]), weight([1]))]
    await again.close()

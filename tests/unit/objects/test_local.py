# SPDX-License-Identifier: Apache-2.0
"""The embedded store's folder: what is in it, what survives, what is refused."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lakehouse.core.errors import BadConfiguration, DataTooNew, StorageFull, StorageUnavailable, StoredObjectNotFound
from lakehouse.objects import local_write
from lakehouse.objects.local import open_local_store
from lakehouse.objects.local_file import FORMAT, MAGIC
from lakehouse.objects.local_write import RECORD
from lakehouse.objects.port import Location
from tests.stored import stored

pytestmark = pytest.mark.anyio


def at(key: str) -> Location:
    return Location("lake.local", key)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("objects/*/*"))


async def test_replaced_and_deleted_files_are_removed(tmp_path):
    store = await open_local_store(tmp_path)
    for number in range(5):
        await store.put(at("k"), b"%d" % number)
    await store.put(at("gone"), b"")
    await store.delete([at("gone")])
    await store.close()
    assert len(stored(tmp_path)) == 1
    store = await open_local_store(tmp_path)
    assert await (await store.get(at("k"))).read() == b"4"
    assert store._index.trash() == []
    await store.close()


async def test_a_lost_index_is_made_again(tmp_path):
    store = await open_local_store(tmp_path)
    await store.put(at("a/ü"), b"one", content_type="text/plain", metadata={"x": "y"})
    await store.put(at("big"), b"x" * 2_000_000)
    before = await store.list("lake.local")
    info = await store.head(at("a/ü"))
    await store.close()
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    store = await open_local_store(tmp_path)
    assert await store.list("lake.local") == before
    assert await store.head(at("a/ü")) == info
    assert await (await store.get(at("big"))).read() == b"x" * 2_000_000
    await store.close()


async def test_parts_do_not_become_objects_when_the_index_is_lost(tmp_path):
    store = await open_local_store(tmp_path)
    upload = await store.uploads.create(at("k"))
    await store.uploads.put_part(at("k"), upload, 1, b"part")
    await store.close()
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    store = await open_local_store(tmp_path)
    assert await store.list("lake.local") == ([], False)
    await store.close()


async def test_strays_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path):
    living = await open_local_store(tmp_path)
    token = living._process.token
    await living.put(at("k"), b"1")
    (tmp_path / "objects/aa/aaaaaaaaaaaaaaaaaaaaaaaa-deadbeef").write_bytes(b"whatever")
    (tmp_path / "objects/ab/abaaaaaaaaaaaaaaaaaaaaaa-deadbeef.tmp").write_bytes(b"")
    mine = tmp_path / f"objects/ac/acaaaaaaaaaaaaaaaaaaaaaa-{token}.tmp"
    mine.write_bytes(b"")
    (tmp_path / "processes/deadbeef").touch()
    other = await open_local_store(tmp_path)
    await other.close()
    assert mine in files(tmp_path)
    assert len(files(tmp_path)) == 2
    assert not (tmp_path / "processes/deadbeef").exists()
    assert await (await living.get(at("k"))).read() == b"1"
    await living.close()


async def test_several_processes_see_each_others_objects(tmp_path):
    one, two = await open_local_store(tmp_path), await open_local_store(tmp_path)
    await one.put(at("k"), b"1")
    assert await (await two.get(at("k"))).read() == b"1"
    await two.put(at("k"), b"22")
    assert await (await one.get(at("k"))).read() == b"22"
    await asyncio.gather(*(store.put(at(f"n/{n}"), b"x") for n in range(30) for store in (one, two)))
    assert len((await one.list("lake.local", prefix="n/"))[0]) == 30
    await one.close()
    await two.close()
    assert len(stored(tmp_path)) == 31


async def test_a_newer_layout_is_refused(tmp_path):
    (tmp_path / "store.json").write_text('{"layout": 4}')
    with pytest.raises(DataTooNew, match="layout 4"):
        await open_local_store(tmp_path)


async def test_a_newer_index_is_refused(tmp_path):
    store = await open_local_store(tmp_path)
    await store._index.run(lambda connection: connection.execute("pragma user_version = 99"))
    await store.close()
    with pytest.raises(DataTooNew, match="version 99"):
        await open_local_store(tmp_path)


@pytest.mark.parametrize("mark", ["", "{", '{"other": 1}'])
async def test_a_mark_that_cannot_be_read(tmp_path, mark):
    (tmp_path / "store.json").write_text(mark)
    with pytest.raises(BadConfiguration):
        await open_local_store(tmp_path)


async def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadConfiguration, match="cannot be used"):
        await open_local_store(tmp_path / "file")


async def test_files_begin_with_their_header(tmp_path):
    store = await open_local_store(tmp_path)
    await store.put(at("k"), bytes(RECORD) + b"bytes")
    await store.close()
    (path,) = files(tmp_path)
    raw = path.read_bytes()
    assert raw.startswith(MAGIC)
    assert int.from_bytes(raw[8:10], "big") == FORMAT
    assert raw.endswith(b"bytes")
    assert path.parent.name == path.name[:2]


async def test_a_file_that_is_missing_or_cut(tmp_path):
    store = await open_local_store(tmp_path)
    await store.put(at("missing"), bytes(RECORD + 1))
    files(tmp_path)[0].unlink()
    with pytest.raises(StoredObjectNotFound):
        await store.get(at("missing"))
    await store.put(at("cut"), bytes(RECORD + 1))
    (path,) = files(tmp_path)
    os.truncate(path, path.stat().st_size - 2)
    with pytest.raises(StorageUnavailable, match="shorter"):
        await store.get(at("cut"))
    await store.close()


async def test_descriptors_are_given_back(tmp_path):
    store = await open_local_store(tmp_path)
    await store.put(at("big"), bytes(1_000_000))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        reader = await store.get(at("big"))
        await anext(reader.body)
        await reader.close()
        await store.get(at("big"))
        await (await store.get(at("big"))).read()
    del reader
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    await store.close()


_FULL = """
import asyncio, resource, sys
from lakehouse.core.errors import StorageFull
from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import Location

async def stream(size):
    for _ in range(size // 65536):
        yield bytes(65536)

async def main():
    store = await open_local_store(sys.argv[1])
    await store.put(Location("b.x", "k"), b"before")
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
    for body in (bytes(700_000), stream(6_553_600)):
        try:
            await store.put(Location("b.x", "k"), body)
        except StorageFull:
            print("full")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(await (await store.get(Location("b.x", "k"))).read())
    await store.put(Location("b.x", "after"), b"room")
    await store.close()

asyncio.run(main())
"""


async def test_a_full_disk_stores_nothing_and_leaves_nothing(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.split() == ["full", "full", "b'before'"], told.stderr
    assert len(stored(tmp_path)) == 2


@pytest.mark.parametrize("size", [1, RECORD + 1])
async def test_a_full_index_removes_what_was_written(tmp_path, monkeypatch, size):
    store = await open_local_store(tmp_path)

    async def full(*_):
        raise StorageFull

    monkeypatch.setattr(store._index, "put", full)
    with pytest.raises(StorageFull):
        await store.put(at("k"), bytes(size))
    assert stored(tmp_path) == []
    await store.close()
    assert files(tmp_path) == []


@pytest.mark.parametrize("size", [1, RECORD + 1])
async def test_a_doubtful_commit_is_judged_at_the_next_start(tmp_path, monkeypatch, size):
    store = await open_local_store(tmp_path)
    put = store._index.put

    async def lost(*arguments):
        await put(*arguments)
        raise StorageUnavailable

    async def failed(*_):
        raise StorageUnavailable

    for key, how in (("stored", lost), ("never", failed)):
        monkeypatch.setattr(store._index, "put", how)
        with pytest.raises(StorageUnavailable):
            await store.put(at(key), bytes(size))
    assert len(stored(tmp_path)) == 2
    await store.close()
    store = await open_local_store(tmp_path)
    assert await (await store.get(at("stored"))).read() == bytes(size)
    await store.close()
    assert len(stored(tmp_path)) == 1


async def test_small_bodies_take_one_visit_to_a_thread(tmp_path, monkeypatch):
    store = await open_local_store(tmp_path)
    visits = []
    thread = local_write.Files.thread

    async def counted(self, function, *arguments):
        visits.append(function)
        return await thread(self, function, *arguments)

    monkeypatch.setattr(local_write.Files, "thread", counted)
    await store.put(at("k"), bytes(local_write.SMALL))
    assert len(visits) == 1
    await store.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_reads_of_the_disk_leave_no_file_open(tmp_path) -> None:
    """Small objects whose pages the system has let go of: read on a thread, from a descriptor of its own."""
    store = await open_local_store(tmp_path)
    try:
        places = [Location("b", f"k/{number}") for number in range(30)]
        for place in places:
            await store.put(place, b"x" * 10_000)
        for place in places:  # threads come to life
            await (await store.get(place)).read()
        before = open_files()
        for path in (tmp_path / "objects").rglob("*"):
            if path.is_file():
                file = os.open(path, os.O_RDONLY)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)
        for place in places:
            assert await (await store.get(place)).read() == b"x" * 10_000
        assert open_files() <= before  # fewer, when something of an earlier test ends meanwhile
    finally:
        await store.close()


@pytest.mark.parametrize("what", ["get", "copy", "body"])
async def test_reads_that_are_cancelled_before_their_turn_leave_no_file_open(tmp_path, monkeypatch, what) -> None:
    store = await open_local_store(tmp_path)
    await store.put(at("k"), bytes(1_000_000 if what == "body" else 1000))
    monkeypatch.setattr("lakehouse.objects.local.read_cached", lambda *_: None)
    monkeypatch.setattr("lakehouse.objects.local_read.read_cached", lambda *_: None)
    going = threading.Event()
    busy = [asyncio.ensure_future(store._files.thread(going.wait)) for _ in range(local_write.THREADS)]
    await asyncio.sleep(0)
    gc.collect()
    before = open_files()

    async def body():
        await (await store.get(at("k"))).read()

    begin = {"get": lambda: store.get(at("k")), "copy": lambda: store.copy(at("k"), at("c")), "body": body}[what]
    reads = [asyncio.ensure_future(begin()) for _ in range(20)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert open_files() >= before + len(reads)
    for read in reads:
        read.cancel()
    await asyncio.wait(reads)
    going.set()
    await asyncio.gather(*busy)
    reads.clear()
    del read  # its error has the body, and the body the file
    gc.collect()
    assert open_files() <= before  # fewer, when something of an earlier test ends meanwhile
    await store.close()


async def test_closing_waits_for_threads_before_it_lets_go_of_the_index(tmp_path, monkeypatch) -> None:
    """A job of which nobody waits any more, such as a page of a compaction, may be in the middle of a read."""
    store = await open_local_store(tmp_path)
    begun, going, order = threading.Event(), threading.Event(), []

    def job():
        begun.set()
        going.wait()
        order.append(store._index.trash())

    shutdown, close = store._files.executor.shutdown, store._index.close
    monkeypatch.setattr(store._files.executor, "shutdown", lambda: (going.set(), shutdown()))
    monkeypatch.setattr(store._index, "close", lambda: (order.append("index"), close()))
    compacting = asyncio.ensure_future(store._files.thread(job))
    await asyncio.get_running_loop().run_in_executor(None, begun.wait)
    compacting.cancel()
    await store.close()
    assert order == [[], "index"]

# SPDX-License-Identifier: Apache-2.0
"""Compaction of segments: what is left of one is moved, nobody notices, and its room is given back after a while."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from lakehouse.core.errors import StorageFull
from lakehouse.objects import local_compact, segments
from lakehouse.objects.local import SEGMENT_OPEN, open_local_store
from lakehouse.objects.port import Location, Small
from lakehouse.objects.segment_index import DEAD_STAYS, MOVED_STAYS, weight
from tests.lakes import Hands
from tests.stored import records, stored
from tests.stored import segments as segments_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def at(number: int) -> Location:
    return Location("lake.local", f"k{number}")


async def read(store, number: int) -> bytes:
    return await (await store.get(at(number))).read()


def live_of(store) -> dict[str, int]:
    return dict(store._index.all("select file, live from segments", ()))


def place(store, number: int) -> tuple[str, int]:
    row = store._found(at(number))
    return row.file, row.start


def lose_index(folder: Path) -> None:
    for path in folder.glob("index.sqlite*"):
        path.unlink()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Ten objects of a hundred bytes fill a segment."""
    monkeypatch.setattr(segments, "SEGMENT", 2200)
    monkeypatch.setattr(local_compact, "PAGE_BYTES", 250)


@pytest.fixture
def clock():
    return Hands()


async def filled(folder: Path, clock: Hands):
    """A store with one full segment, k0 to k9."""
    made = await open_local_store(folder, clock=clock)
    for number in range(10):
        await made.put(at(number), b"%d" % number * 100, content_type="a/b", metadata={"n": str(number)})
    await made._files.settle()
    assert len(segments_of(folder)) == 1
    return made


@pytest.fixture
async def store(tmp_path, clock):
    made = await filled(tmp_path, clock)
    yield made
    await made.close()


async def test_what_is_left_is_moved_and_the_segment_goes_a_day_later(tmp_path, store, clock):
    (old,) = segments_of(tmp_path)
    infos = {number: await store.head(at(number)) for number in range(3, 10)}
    await store.delete([at(0), at(1)])
    assert await store.compact() == 0, "less than a quarter is dead"
    await store.delete([at(2)])
    clock.now += 50
    assert await store.compact() == 1
    for number, info in infos.items():
        assert await store.head(at(number)) == info
        assert await read(store, number) == b"%d" % number * 100
        assert place(store, number)[0] != old.name
    (new,) = set(segments_of(tmp_path)) - {old}
    assert live_of(store) == {new.name: 7}
    clock.now += MOVED_STAYS - 1
    assert await store.compact() == 0
    await store._files.settle()
    assert old.exists()
    clock.now += 2
    await store.compact()
    await store._files.settle()
    assert segments_of(tmp_path) == [new]
    assert len(stored(tmp_path)) == 7


async def test_a_little_that_is_dead_goes_after_a_month(tmp_path, store, clock):
    (old,) = segments_of(tmp_path)
    await store.delete([at(0)])
    assert await store.compact() == 0
    clock.now += DEAD_STAYS - 1
    assert await store.compact() == 0
    clock.now += 2
    assert await store.compact() == 1
    clock.now += MOVED_STAYS + 1
    assert await store.compact() == 0
    await store._files.settle()
    assert not old.exists()
    assert [await read(store, number) for number in range(1, 10)] == [b"%d" % number * 100 for number in range(1, 10)]


async def test_an_old_segment_is_closed_however_small(tmp_path, store, clock):
    await store.put(at(10), b"x")
    await store.delete([at(10)])
    (full, young) = sorted(segments_of(tmp_path), key=lambda path: path.stat().st_mtime_ns)
    await store.compact()
    await store._files.settle()
    assert young.exists()
    clock.now += SEGMENT_OPEN + 1
    await store.compact()
    await store._files.settle()
    assert segments_of(tmp_path) == [full]
    await store.put(at(10), b"y")
    assert await read(store, 10) == b"y"


async def test_a_row_that_changes_meanwhile_stays_as_it_is(tmp_path, store, monkeypatch):
    """Between the copy and the change of the row: replaced, deleted, both."""
    await store.delete([at(number) for number in range(4)])
    append = store._files.segments.append
    racing = []

    async def raced(made):
        written = await append(made)
        if not racing:
            racing.append(True)
            await store.put(at(4), b"new")
            await store.delete([at(5)])
        return written

    monkeypatch.setattr(store._files.segments, "append", raced)
    await store.compact()
    await store._files.settle()
    assert await read(store, 4) == b"new"
    left = [line.key for line in (await store.list("lake.local"))[0]]
    assert left == ["k4", "k6", "k7", "k8", "k9"]
    assert sum(live_of(store).values()) == 5
    old = next(name for name in (path.name for path in segments_of(tmp_path)) if name not in live_of(store))
    copies = [record for record in stored(tmp_path) if not record.startswith(old)]
    assert len(copies) == 5, "the copies that were too late are struck out"


async def test_readers_find_what_was_moved_under_them(tmp_path, store, clock):
    """A row that was read before the move names a file that has gone: the reader looks again."""
    await store.delete([at(number) for number in range(9)])
    reader = await store.get(at(9))
    found = store._found
    stale = [found(at(9))]
    await store.compact()
    clock.now += MOVED_STAYS + 1
    await store.compact()
    await store._files.settle()
    assert len(segments_of(tmp_path)) == 1
    store._found = lambda location: stale.pop() if stale else found(location)
    assert await read(store, 9) == b"9" * 100
    assert stale == []
    assert await reader.read() == b"9" * 100


async def test_one_process_at_a_time(tmp_path, store, clock):
    await store.delete([at(number) for number in range(5)])
    other = await open_local_store(tmp_path, clock=clock)
    with local_compact._alone(tmp_path) as alone:
        assert alone
        assert await other.compact() == 0
    assert await other.compact() == 1
    assert await other.compact() == await store.compact() == 0
    assert [await read(store, number) for number in range(5, 10)] == [b"%d" % n * 100 for n in range(5, 10)]
    await other.close()


async def test_a_record_that_is_damaged_is_not_copied(tmp_path, store, caplog):
    await store.delete([at(number) for number in range(5)])
    (old,) = segments_of(tmp_path)
    name, start = place(store, 7)
    with old.open("r+b") as file:
        os.pwrite(file.fileno(), b"!", start)
    assert await store.compact() == 0
    assert "1 objects whose records are damaged" in caplog.text
    assert live_of(store)[old.name] == 1
    assert place(store, 7) == (name, start)
    caplog.clear()
    assert await store.compact() == 0
    assert caplog.text == ""


async def test_the_last_object_of_what_was_compacted_is_struck_out_when_it_is_deleted(tmp_path, store):
    """It was not moved: unlike those that were, it must not come back."""
    await store.delete([at(number) for number in range(5)])
    (old,) = segments_of(tmp_path)
    _, start = place(store, 7)
    good = old.read_bytes()[start : start + 1]
    with old.open("r+b") as file:
        os.pwrite(file.fileno(), b"!", start)
        await store.compact()
        os.pwrite(file.fileno(), good, start)
    await store.delete([at(7)])
    await store._files.settle()
    assert old.name not in live_of(store)
    assert f"{old.name}@{start}" not in records(old)
    assert len(records(old)) == 4


async def test_no_room_for_the_copies(tmp_path, store, monkeypatch):
    await store.delete([at(number) for number in range(5)])

    async def full(_):
        raise StorageFull

    monkeypatch.setattr(store._files.segments, "append", full)
    with pytest.raises(StorageFull):
        await store.compact()
    monkeypatch.undo()
    assert [await read(store, number) for number in range(5, 10)] == [b"%d" % n * 100 for n in range(5, 10)]
    assert await store.compact() == 1


async def test_the_folder_may_be_copied_file_by_file_meanwhile(tmp_path, store, clock):
    """The new segment is copied before the objects are moved there, the old one after: nothing is missing."""
    copy = tmp_path / "copy"
    await store.put(at(10), b"in the new segment")
    (old, new) = sorted(segments_of(tmp_path), key=lambda path: path.stat().st_mtime_ns)
    await store.delete([at(number) for number in range(5)])
    copied = {new: new.read_bytes()}
    await store.compact()
    await store.delete([at(9)])
    clock.now += MOVED_STAYS / 2
    await store.compact()
    copied[old] = old.read_bytes()
    for path, data in copied.items():
        (copy / path.relative_to(tmp_path).parent).mkdir(parents=True)
        (copy / path.relative_to(tmp_path)).write_bytes(data)
    again = await open_local_store(copy, clock=clock)
    for number in (*range(5, 9), 10):
        assert await read(again, number) == await read(store, number)
    await again.close()


async def test_the_folder_may_be_copied_file_by_file_while_objects_are_put_again(tmp_path, store, clock):
    """As nodes of trees are: the new segment is copied before, the old one after."""
    copy = tmp_path / "copy"
    await store.put(at(10), b"in the new segment")
    (old, new) = sorted(segments_of(tmp_path), key=lambda path: path.stat().st_mtime_ns)
    copied = {new: new.read_bytes()}
    etags = [(await store.head(at(number))).etag for number in range(10)]
    await store.put_batch([Small(at(number), b"%d" % number * 100, etags[number]) for number in range(10)])
    await store._files.settle()
    assert old.name not in live_of(store)
    copied[old] = old.read_bytes()
    for path, data in copied.items():
        (copy / path.relative_to(tmp_path).parent).mkdir(parents=True)
        (copy / path.relative_to(tmp_path)).write_bytes(data)
    again = await open_local_store(copy, clock=clock)
    for number in range(11):
        assert await read(again, number) == await read(store, number)
    await again.close()
    clock.now += MOVED_STAYS + 1
    await store.compact()
    await store._files.settle()
    assert not old.exists()


async def test_a_lost_index_after_a_compaction(tmp_path, clock):
    store = await filled(tmp_path, clock)
    await store.delete([at(number) for number in range(5)])
    await store.compact()
    before = await store.list("lake.local")
    await store.close()
    lose_index(tmp_path)
    again = await open_local_store(tmp_path, clock=clock)
    assert await again.list("lake.local") == before
    assert sum(live_of(again).values()) == 5
    assert len(segments_of(tmp_path)) == 1, "the copy of no row goes at once"
    await again.delete([at(number) for number in range(10)])
    await again.close()
    assert segments_of(tmp_path) == []


async def test_it_stops_when_the_store_is_closed(tmp_path, clock):
    store = await open_local_store(tmp_path, clock=clock)
    for number in range(30):
        await store.put(at(number), bytes(100))
    await store.delete([at(number) for number in range(0, 30, 2)])
    compacting = asyncio.ensure_future(store.compact())
    for _ in range(20):
        await asyncio.sleep(0)
    compacting.cancel()
    await asyncio.wait([compacting])
    await store.close()
    again = await open_local_store(tmp_path, clock=clock)
    assert [await read(again, number) for number in range(1, 30, 2)] == [bytes(100)] * 15
    assert sum(live_of(again).values()) == 15
    await again.close()


async def test_nothing_is_moved_that_is_all_alive(tmp_path, store, clock):
    (old,) = segments_of(tmp_path)
    clock.now += DEAD_STAYS * 10
    assert await store.compact() == 0
    assert len(records(old)) == 10
    ((live, weighs, total, dead),) = store._index.all("select live, weight, total, dead from segments", ())
    assert (live, weighs, total, dead) == (10, weight([100] * 10), weight([100] * 10), None)

# SPDX-License-Identifier: Apache-2.0
"""Segments after a kill, without their index, and on a disk that cannot read all of them."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from lakehouse.objects import segment_file, segment_index, segments
from lakehouse.objects.local import open_local_store
from lakehouse.objects.local_index import Index
from lakehouse.objects.port import PutMode
from lakehouse.objects.segment_index import weight
from tests.stored import account, at, lose_index, read, records, stored
from tests.stored import segments as segments_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def died(store) -> None:
    """The store as it is on the disk after a kill: nothing was closed or cut."""
    await store._files.settle()
    store._files.segments._current = None
    store._process.doubtful = True
    await store.close()


async def test_a_segment_that_was_being_written(tmp_path, monkeypatch):
    """Records without a row, and a tail that is not whole: the next start strikes out those and cuts it off."""
    store = await open_local_store(tmp_path)
    await store.put(at("k"), b"k")
    await store.put(at("gone"), b"gone")
    run = store._index.run

    async def dies(*_, **__):
        raise KeyError("as if the process had died here")

    monkeypatch.setattr(store._index, "run", dies)
    with pytest.raises(KeyError):
        await store.put(at("never"), b"never")
    monkeypatch.setattr(store._index, "run", run)
    await died(store)
    (path,) = segments_of(tmp_path)
    assert len(records(path)) == 3
    data = path.read_bytes()
    end = data.index(b"never\0") + 8
    path.write_bytes(data[:end] + data[32:90] + bytes(100))
    again = await open_local_store(tmp_path)
    await again._files.settle()
    assert path.stat().st_size == end
    assert len(records(path)) == 2
    assert list(account(again).values()) == [(2, weight([1, 4]), weight([1, 4, 5]))]
    await again.delete([at("gone"), at("k")])
    await again.close()
    assert segments_of(tmp_path) == []


@pytest.mark.parametrize("damaged", [b"LAKEOBJ", b"bbbb"], ids=["head", "bytes"])
async def test_an_object_behind_the_last_whole_record_is_not_cut_off(tmp_path, damaged):
    """Its bytes were acknowledged: what is left of them stays where it is."""
    store = await open_local_store(tmp_path)
    await store.put(at("a"), b"a" * 100)
    await store.put(at("b"), b"b" * 1000)
    await died(store)
    (path,) = segments_of(tmp_path)
    data = bytearray(path.read_bytes())
    data[data.rindex(damaged)] ^= 1
    path.write_bytes(data)
    again = await open_local_store(tmp_path)
    await again._files.settle()
    assert len(await read(again, "b")) == 1000
    assert path.stat().st_size < segment_file.AHEAD
    assert [total is not None for _, _, total in account(again).values()] == [True]
    await again.close()


async def test_a_segment_without_a_row_goes(tmp_path):
    store = await open_local_store(tmp_path)
    await store.put(at("k"), b"k")
    await store.delete([at("k")])
    await died(store)
    assert len(segments_of(tmp_path)) == 1
    again = await open_local_store(tmp_path)
    await again._files.settle()
    assert segments_of(tmp_path) == []
    assert list((tmp_path / "processes").iterdir()) != []
    await again.close()
    assert list((tmp_path / "processes").iterdir()) == []


async def test_a_lost_index_is_made_again_of_segments(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT", 2000)
    now = [1000.0]
    store = await open_local_store(tmp_path, clock=lambda: now[0])
    for number in range(20):
        now[0] += 1
        await store.put(at(f"k{number % 10}"), b"%d" % number * 100, metadata={"n": str(number)})
    await store.delete([at("k3"), at("k7")])
    before = await store.list("lake.local")
    infos = [await store.head(at(line.key)) for line in before[0]]
    accounts = account(store)
    await store.close()
    lose_index(tmp_path)
    again = await open_local_store(tmp_path)
    assert await again.list("lake.local") == before
    assert [await again.head(at(line.key)) for line in before[0]] == infos
    assert await read(again, "k4") == b"14" * 100
    kept = {name: row[:2] for name, row in accounts.items()}
    assert {name: row[:2] for name, row in account(again).items()} == kept
    assert all(total is not None for _, _, total in account(again).values())
    await again.delete([at(line.key) for line in before[0]])
    await again.close()
    assert segments_of(tmp_path) == []


async def test_an_index_that_is_filled_beside_a_living_process(tmp_path):
    """As when two workers begin in a new folder: the second fills the index while the first writes."""
    one = await open_local_store(tmp_path)
    await one.put(at("k"), b"k")
    await one.put(at("replaced"), b"old")
    await one.put(at("replaced"), b"new")
    await one._index.run(lambda connection: connection.execute("pragma user_version = 0"))
    two = await open_local_store(tmp_path)
    ((live, weighs, total),) = account(two).values()
    assert (live, weighs, total) == (2, weight([1, 3]), None), "it is still being written"
    await one.put(at("more"), b"more")
    assert [await read(two, key) for key in ("k", "replaced", "more")] == [b"k", b"new", b"more"]
    await one.delete([at("k"), at("replaced"), at("more")])
    await one._files.settle()
    assert len(segments_of(tmp_path)) == 1
    await one.close()
    await two.close()
    assert segments_of(tmp_path) == []


async def test_a_record_that_another_process_found_before_its_own(tmp_path, store):
    """The row of a record is made while the index is filled, and then by who wrote it: still it is one object."""
    put = store._index.put

    async def late(bucket, key, row, mode):
        await store._index.run(lambda connection: connection.execute("pragma user_version = 0"))
        await store._index.restore([(bucket, key, row, [])])
        await store._index.filled({})
        return await put(bucket, key, row, mode)

    for mode in (PutMode.REPLACE, PutMode.ONCE, PutMode.CREATE):
        store._index.put = late
        await store.put(at(mode.value), b"x", mode=mode)
        store._index.put = put
    await store._files.settle()
    assert len(stored(tmp_path)) == 3
    assert [live for live, _, _ in account(store).values()] == [3]
    await store.delete([at("replace"), at("once"), at("create")])
    await store._files.settle()
    assert [live for live, _, _ in account(store).values()] == [0]


async def test_who_fills_an_index_more_slowly_does_nothing(tmp_path, store):
    """The first has noted that it is filled, and has gone on: what it deleted does not come back."""
    slow = Index(tmp_path / "index.sqlite")
    await store.put(at("gone"), b"x")
    await store.put(at("k"), b"k")
    (segment,) = segments_of(tmp_path)
    rows = [("lake.local", key.encode(), store._found(at(key)), []) for key in ("gone", "k")]
    await store.delete([at("gone"), at("k")])
    await slow.restore(rows)
    assert await slow.filled({segment.name: 0}, kept=["other"]) == []
    slow.close()
    assert await store.list("lake.local") == ([], False)
    assert list(account(store).values()) == [(0, 0, None)]
    assert store._index.all("select file from retired", ()) == []


async def test_a_torn_tail_and_a_lost_index(tmp_path):
    """Cut anywhere in its last record, a segment gives back all objects before it, and not that one."""
    store = await open_local_store(tmp_path / "made")
    await store.put(at("a"), b"first")
    await store.put(at("b"), b"second")
    await store.close()
    (path,) = segments_of(tmp_path / "made")
    data = path.read_bytes()
    begin = data.rindex(b"LAKEOBJ")
    for number, cut in enumerate(range(begin, len(data.rstrip(b"\0")), 29)):
        folder = tmp_path / str(number)
        torn = folder / "objects" / path.parent.name / path.name
        torn.parent.mkdir(parents=True)
        torn.write_bytes(data[:cut])
        again = await open_local_store(folder)
        assert [line.key for line in (await again.list("lake.local"))[0]] == ["a"]
        assert await read(again, "a") == b"first"
        await again.close()


async def test_a_segment_of_which_nothing_can_be_read_stays(tmp_path, caplog):
    """Its salt is damaged and the index lost: somebody may still mend it."""
    store = await open_local_store(tmp_path)
    await store.put(at("a"), b"a" * 100)
    await died(store)
    (path,) = segments_of(tmp_path)
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    lose_index(tmp_path)
    now = [1e9]
    again = await open_local_store(tmp_path, clock=lambda: now[0])
    await again._files.settle()
    assert path.name in caplog.text
    now[0] += segment_index.MOVED_STAYS * 2
    await again.compact()
    await again.close()
    assert path.read_bytes() == data
    data[20] ^= 1
    path.write_bytes(data)
    lose_index(tmp_path)
    mended = await open_local_store(tmp_path)
    assert await read(mended, "a") == b"a" * 100
    await mended.close()


@pytest.fixture
def bad_sector(monkeypatch):
    """Call it with a file and a place in it, which cannot be read from then on."""
    pread, bad = os.pread, {}

    def fails(file, size, place):
        at = bad.get(os.fstat(file).st_ino, -1)
        if place <= at < place + size:
            raise OSError(errno.EIO, "I/O error")
        return pread(file, size, place)

    monkeypatch.setattr(os, "pread", fails)

    def spoil(path: Path, at: int) -> None:
        bad[path.stat().st_ino] = at

    return spoil


async def closed_segment(store, folder: Path, keys: str) -> Path:
    before = set(segments_of(folder))
    for key in keys:
        await store.put(at(key), key.encode() * 9000)
    store._files.segments.finish()
    await store._files.settle()
    (made,) = set(segments_of(folder)) - before
    return made


@pytest.mark.parametrize("place", [0, 10_000], ids=["head", "dead record"])
async def test_compaction_of_a_segment_with_a_sector_that_cannot_be_read(tmp_path, store, bad_sector, place, caplog):
    """It is set aside when it must be; others have their turn."""
    worst = await closed_segment(store, tmp_path, "abcd")
    await closed_segment(store, tmp_path, "efgh")
    await store.delete([at(key) for key in "abcef"])
    bad_sector(worst, place)
    assert await store.compact() == (1 if place == 0 else 2)
    assert (worst.name in caplog.text) == (place == 0)
    assert await store.compact() == 0
    bad_sector(worst, -1)
    assert [await read(store, key) for key in "dgh"] == [b"d" * 9000, b"g" * 9000, b"h" * 9000]


async def test_a_start_with_a_sector_that_cannot_be_read(tmp_path, bad_sector, caplog):
    """After a crash, and with a lost index: what can be read is there."""
    store = await open_local_store(tmp_path)
    for key in "abc":
        await store.put(at(key), key.encode() * 9000)
    await died(store)
    (path,) = segments_of(tmp_path)
    bad_sector(path, 0)
    again = await open_local_store(tmp_path)
    await again._files.settle()
    assert path.name in caplog.text
    await died(again)
    bad_sector(path, path.read_bytes().index(b"bbbb"))
    again = await open_local_store(tmp_path)
    await again._files.settle()
    assert list(account(again).values()) == [(3, weight([9000] * 3), weight([9000] * 3))]
    await again.close()
    lose_index(tmp_path)
    again = await open_local_store(tmp_path)
    assert [line.key for line in (await again.list("lake.local"))[0]] == ["a", "c"]
    await again.close()
    bad_sector(path, 0)
    lose_index(tmp_path)
    again = await open_local_store(tmp_path)
    await again.put(at("d"), b"d")
    await again.close()
    assert path.exists()


async def test_a_folder_of_the_second_layout_is_taken_over(tmp_path, monkeypatch):
    """Files of small objects stay as they are, and go as they always did."""
    monkeypatch.setattr("lakehouse.objects.local_write.RECORD", -1)
    store = await open_local_store(tmp_path)
    for number in range(4):
        await store.put(at(f"k{number}"), b"%d" % number)
    await store._index.run(lambda connection: connection.execute("drop table segments"))
    await store._index.run(lambda connection: connection.execute("drop table retired"))
    monkeypatch.undo()
    store._files.segments._current = None
    await store.close()
    (tmp_path / "store.json").write_text('{"layout":2}')
    again = await open_local_store(tmp_path)
    assert (tmp_path / "store.json").read_text() == '{"layout":3}'
    assert [await read(again, f"k{number}") for number in range(4)] == [b"0", b"1", b"2", b"3"]
    await again.put(at("k0"), b"new")
    await again.delete([at("k1")])
    await again.put(at("k4"), b"4")
    await again.close()
    assert len(segments_of(tmp_path)) == 1
    assert len(stored(tmp_path)) == 4

# SPDX-License-Identifier: Apache-2.0
"""Objects of parts in the embedded store: their bytes are never copied, and go when nobody needs them."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from lakehouse.core.errors import ContentDiffers, InvalidPart, StoredObjectNotFound, UploadNotFound
from lakehouse.objects import local_read
from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import ByteRange, Location, PutMode
from tests.stored import stored

pytestmark = pytest.mark.anyio

LEAST = 5 * 2**20
BUCKET = "b"


def at(key: str) -> Location:
    return Location(BUCKET, key)


def files(folder) -> dict[str, int]:
    """Names of the store's files, and which inode each is."""
    return {path.name: path.stat().st_ino for path in folder.glob("objects/*/*")}


@pytest.fixture
async def store(tmp_path):
    made = await open_local_store(tmp_path)
    yield made
    await made.close()


async def put_parts(store, key: str, *parts: bytes, mode: PutMode = PutMode.REPLACE):
    upload = await store.uploads.create(at(key), content_type="a/b", metadata={"k": "v"})
    listed = [
        (number, (await store.uploads.put_part(at(key), upload, number, part)).etag)
        for number, part in enumerate(parts, 1)
    ]
    return await store.uploads.complete(at(key), upload, listed, mode=mode)


async def read(store, key: str, byte_range: ByteRange | None = None) -> bytes:
    return await (await store.get(at(key), byte_range)).read()


PARTS = (os.urandom(LEAST), os.urandom(LEAST + 7), b"end")
WHOLE = b"".join(PARTS)


async def test_completing_copies_nothing(tmp_path, store) -> None:
    upload = await store.uploads.create(at("k"))
    listed = []
    for number, part in enumerate(PARTS, 1):
        listed.append((number, (await store.uploads.put_part(at("k"), upload, number, part)).etag))
    unused = await store.uploads.put_part(at("k"), upload, 9, b"never named")
    before = files(tmp_path)
    await store.uploads.complete(at("k"), upload, listed)
    await store._files.settle()
    after = files(tmp_path)
    kept = {name for name in before if name in after and before[name] == after[name]}
    assert unused.size
    assert (len(before), len(kept), len(after)) == (4, 3, 4), "three parts as they were, and a manifest"
    assert await read(store, "k") == WHOLE


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 0),
        (LEAST - 1, LEAST),
        (LEAST, LEAST),
        (3, 2 * LEAST + 8),
        (2 * LEAST + 6, 2 * LEAST + 9),
        (0, None),
        (None, 4),
    ],
)
async def test_ranges_over_parts(store, start, end) -> None:
    await put_parts(store, "k", *PARTS)
    want = WHOLE[-end:] if start is None else WHOLE[start : None if end is None else end + 1]
    assert await read(store, "k", ByteRange(start, end)) == want


async def test_deleting_and_replacing_remove_the_parts(tmp_path, store) -> None:
    await put_parts(store, "k", *PARTS)
    await put_parts(store, "k", b"another")
    await store._files.settle()
    assert len(files(tmp_path)) == 2
    await store.put(at("k"), b"plain")
    await store._files.settle()
    assert len(stored(tmp_path)) == 1
    await put_parts(store, "k", *PARTS)
    await store.delete([at("k")])
    await store._files.settle()
    assert stored(tmp_path) == []


async def test_copies_share_their_parts(tmp_path, store) -> None:
    info = await put_parts(store, "k", *PARTS)
    copied = await store.copy(at("k"), at("copy"))
    await store.copy(at("copy"), at("copy"))
    assert (copied.etag, copied.size, copied.metadata) == (info.etag, len(WHOLE), {"k": "v"})
    await store.delete([at("k")])
    await store._files.settle()
    assert len(files(tmp_path)) == 4
    assert await read(store, "copy") == WHOLE
    await store.delete([at("copy")])
    await store._files.settle()
    assert files(tmp_path) == {}
    with pytest.raises(StoredObjectNotFound):
        await store.copy(at("k"), at("copy"))


async def test_write_once(tmp_path, store) -> None:
    first = await put_parts(store, "k", *PARTS, mode=PutMode.ONCE)
    again = await put_parts(store, "k", *PARTS, mode=PutMode.ONCE)
    assert (again.etag, again.modified) == (first.etag, first.modified)
    with pytest.raises(ContentDiffers):
        await put_parts(store, "k", b"other", mode=PutMode.ONCE)
    assert await read(store, "k") == WHOLE
    for upload in (await store.uploads.uploads(BUCKET))[0]:
        await store.uploads.abort(at("k"), upload.id)
    await store._files.settle()
    assert len(files(tmp_path)) == 4


async def test_a_reader_keeps_the_parts(store) -> None:
    await put_parts(store, "k", *PARTS)
    reader = await store.get(at("k"))
    first = await anext(reader.body)
    await store.delete([at("k")])
    await store._files.settle()
    assert first + await reader.read() == WHOLE


async def test_more_parts_than_files_are_opened_at_once(store, monkeypatch) -> None:
    monkeypatch.setattr(local_read, "OPEN_AT_ONCE", 1)
    await put_parts(store, "k", *PARTS)
    assert await read(store, "k") == WHOLE
    reader = await store.get(at("k"))
    await anext(reader.body)
    await reader.close()
    await reader.close()


async def test_of_two_completions_one_wins(store) -> None:
    upload = await store.uploads.create(at("k"))
    etag = (await store.uploads.put_part(at("k"), upload, 1, b"x")).etag
    done = await asyncio.gather(
        *(store.uploads.complete(at("k"), upload, [(1, etag)]) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in done) == ["ObjectInfo", UploadNotFound.__name__]
    assert await read(store, "k") == b"x"


async def test_a_part_that_is_replaced_meanwhile(tmp_path, store) -> None:
    """What is completed is what was checked: nothing of a part that came between gets in, and nothing is lost."""
    upload = await store.uploads.create(at("k"))
    etag = (await store.uploads.put_part(at("k"), upload, 1, b"one")).etag
    checked = store.uploads._chosen

    def chosen(*arguments):
        rows = checked(*arguments)
        racing.append(asyncio.ensure_future(store.uploads.put_part(at("k"), upload, 1, b"two")))
        return rows

    racing = []
    store.uploads._chosen = chosen
    written = store._files.manifest

    async def late(*arguments):
        await racing[0]
        return await written(*arguments)

    store._files.manifest = late
    with pytest.raises(InvalidPart):
        await store.uploads.complete(at("k"), upload, [(1, etag)])
    await store._files.settle()
    assert len(files(tmp_path)) == 1
    assert [part.size for part in (await store.uploads.parts(at("k"), upload))[0]] == [3]


async def test_a_lost_index_is_made_again(tmp_path) -> None:
    store = await open_local_store(tmp_path)
    info = await put_parts(store, "k", *PARTS)
    gone = await store.copy(at("k"), at("gone"))
    await store.put(at("plain"), b"plain")
    await store.close()
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    again = await open_local_store(tmp_path)
    assert [line.key for line in (await again.list(BUCKET))[0]] == ["gone", "k", "plain"]
    assert (await again.head(at("k"))).etag == info.etag == gone.etag
    assert await read(again, "k", ByteRange(LEAST - 2, LEAST + 2)) == WHOLE[LEAST - 2 : LEAST + 3]
    await again.delete([at("k"), at("gone"), at("plain")])
    await again._files.settle()
    assert stored(tmp_path) == []
    await again.close()


async def test_a_manifest_whose_parts_are_gone_does_not_come_back(tmp_path) -> None:
    store = await open_local_store(tmp_path)
    await put_parts(store, "k", *PARTS)
    (part, *_) = [row[0] for row in store._index.all("select file from spans order by at", ())]
    await store.close()
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    (tmp_path / "objects" / part[:2] / part).unlink()
    again = await open_local_store(tmp_path)
    assert await again.list(BUCKET) == ([], False)
    await again.close()


async def test_the_sweep_after_a_crash_leaves_the_parts(tmp_path) -> None:
    store = await open_local_store(tmp_path)
    await put_parts(store, "k", *PARTS)
    await store.close()
    tokens = {name.rpartition("-")[2] for name in files(tmp_path)}
    for token in tokens:  # as a process that died without leaving has it
        (tmp_path / "processes" / token).touch()
    again = await open_local_store(tmp_path)
    await again._files.settle()
    assert len(files(tmp_path)) == 4
    assert await read(again, "k") == WHOLE
    await again.close()


async def test_a_crash_between_the_manifest_and_its_row(tmp_path) -> None:
    """The upload is still there, and completing it again makes the object; the lone manifest is swept away."""
    store = await open_local_store(tmp_path)
    upload = await store.uploads.create(at("k"))
    etag = (await store.uploads.put_part(at("k"), upload, 1, b"x")).etag

    async def dies(*_):
        raise KeyError("as if the process had died here")

    store.uploads._parts.complete = dies
    with pytest.raises(KeyError):
        await store.uploads.complete(at("k"), upload, [(1, etag)])
    assert len(files(tmp_path)) == 2
    await store.close()
    again = await open_local_store(tmp_path)
    await again._files.settle()
    assert len(files(tmp_path)) == 1
    with pytest.raises(StoredObjectNotFound):
        await again.head(at("k"))
    await again.uploads.complete(at("k"), upload, [(1, etag)])
    assert await read(again, "k") == b"x"
    await again.close()


async def test_a_folder_of_the_first_layout_is_taken_over(tmp_path) -> None:
    store = await open_local_store(tmp_path)
    await store.put(at("k"), b"x")
    await store.close()
    (tmp_path / "store.json").write_text('{"layout": 1}')
    again = await open_local_store(tmp_path)
    assert json.loads((tmp_path / "store.json").read_text()) == {"layout": 3}
    assert await read(again, "k") == b"x"
    await again.close()

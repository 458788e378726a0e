# SPDX-License-Identifier: Apache-2.0
"""Directories as a store: order, pages, and what cannot be reached."""

from __future__ import annotations

import os

import pytest

from lakehouse.core.errors import RangeNotSatisfiable, StoredObjectNotFound, Unsupported
from lakehouse.objects.directory import DirectoryStore
from lakehouse.objects.port import ByteRange, Location

pytestmark = pytest.mark.anyio
PATHS = ["a", "a.txt", "a-b/c", "b/a", "b/c/d", "b/c.d", "b0", "z/ü", "z/~"]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "lake"
    for path in PATHS:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(path.encode())
    (tmp_path / "secret").write_text("no")
    return root


@pytest.fixture
async def store(folder):
    made = DirectoryStore({"lake": folder})
    yield made
    await made.close()


async def keys(store: DirectoryStore, **query) -> list[str]:
    found, after = [], query.pop("after", "")
    while True:
        page, more = await store.list("lake", after=after, **query)
        found += [one.key for one in page]
        if not more:
            return found
        after = found[-1]


async def test_lists_in_bytewise_order(store) -> None:
    expected = sorted(PATHS, key=os.fsencode)
    for limit in (1, 2, 3, 1000):
        assert await keys(store, limit=limit) == expected
    for prefix in ("", "a", "a-b/", "b", "b/", "b/c", "b/c/", "b/c/d", "b/c/e", "c", "z/", "zz", "/"):
        assert await keys(store, prefix=prefix, limit=2) == [key for key in expected if key.startswith(prefix)]
    for after in (*expected, "a/", "b/c/", "b/z", "c", "~"):
        assert await keys(store, after=after) == [key for key in expected if os.fsencode(key) > os.fsencode(after)]
    assert await store.list("other") == ([], False)


async def test_a_changed_directory_is_read_again(store, folder) -> None:
    assert "new" not in await keys(store)
    (folder / "new").write_text("n")
    os.utime(folder, ns=(1, 1))
    assert "new" in await keys(store)


async def test_reads(store) -> None:
    info = await store.head(Location("lake", "b/c/d"))
    assert info.size == 5
    assert info.content_type == "application/octet-stream"
    assert (await store.head(Location("lake", "a.txt"))).content_type == "text/plain"
    assert await (await store.get(Location("lake", "b/c/d"))).read() == b"b/c/d"
    part = await store.get(Location("lake", "b/c/d"), ByteRange(1, 2))
    assert (part.start, part.length, await part.read()) == (1, 2, b"/c")
    with pytest.raises(RangeNotSatisfiable):
        await store.get(Location("lake", "b/c/d"), ByteRange(9, None))


async def test_etags_change_with_the_file(store, folder) -> None:
    before = (await store.head(Location("lake", "a"))).etag
    os.utime(folder / "a", ns=(1, 1))
    assert (await store.head(Location("lake", "a"))).etag != before


async def test_nothing_outside_is_reached(store, folder) -> None:
    (folder / "link").symlink_to(folder.parent / "secret")
    (folder / "up").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe")
    sibling = folder.parent / f"{folder.name}-private"
    sibling.mkdir()
    (sibling / "secret").write_text("no")
    (folder / "twin").symlink_to(sibling)
    (folder / "b" / "twin").symlink_to(sibling / "secret")
    for key in (
        "twin/secret",
        "b/twin",
        f"../{sibling.name}/secret",
        f"b/../../{sibling.name}/secret",
        "../secret",
        "b/../../secret",
        "link",
        "up/secret",
        "pipe",
        "b",
        "b/",
        "",
        ".",
        "none",
        "a/b",
        "//a",
    ):
        for call in (store.head, store.get):
            with pytest.raises(StoredObjectNotFound):
                await call(Location("lake", key))
    with pytest.raises(StoredObjectNotFound):
        await store.head(Location("other", "a"))
    assert not {"link", "up/secret", "pipe", "twin/secret", "b/twin"} & set(await keys(store))


async def test_is_read_only(store) -> None:
    with pytest.raises(Unsupported):
        await store.put(Location("lake", "x"), b"")
    with pytest.raises(Unsupported):
        await store.delete([Location("lake", "a")])
    with pytest.raises(Unsupported):
        await store.copy(Location("lake", "a"), Location("lake", "x"))
    assert await keys(store, prefix="a") == ["a", "a-b/c", "a.txt"]

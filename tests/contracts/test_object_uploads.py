# SPDX-License-Identifier: Apache-2.0
"""What every store that takes objects in parts promises, run on each adapter; and URLs for single parts."""

from __future__ import annotations

import hashlib
import os
import time
import urllib.request

import pytest

from lakehouse.core.errors import (
    ConditionUnsupported,
    ContentDiffers,
    IncompleteBody,
    InvalidPart,
    InvalidPartOrder,
    PartTooSmall,
    PreconditionFailed,
    StoredObjectNotFound,
    UploadNotFound,
)
from lakehouse.objects.local import LocalStore
from lakehouse.objects.port import ByteRange, Location, Match, ObjectPart, PutMode

from .stores import S3, B, at, kinds, stream

pytestmark = pytest.mark.anyio

LEAST = 5 * 1024 * 1024


MOTO_DIFFERS = {
    "test_parts_come_by_pages": "it never says that more parts follow",
    "test_parts_that_do_not_fit": "it does not mind the order of parts",
    "test_an_upload_that_is_given_up": "it breaks on uploads that are gone",
    "test_unfinished_uploads_are_listed": "its uploads all begin in 2010",
    "test_parts_of_a_finished_object": "it breaks on HEAD with the number of a part",
}


@pytest.fixture(params=kinds("local", *S3))
async def store(request, opened):
    if request.param == "moto" and request.node.originalname in MOTO_DIFFERS:
        pytest.skip(f"moto: {MOTO_DIFFERS[request.node.originalname]}")
    async with opened(request.param) as made:
        yield made


async def read(store, key: str) -> bytes:
    return await (await store.get(at(key))).read()


def composite(*parts: bytes) -> str:
    joined = b"".join(hashlib.md5(part).digest() for part in parts)
    return f"{hashlib.md5(joined).hexdigest()}-{len(parts)}"


async def test_an_object_of_parts(store):
    first, last = os.urandom(LEAST), os.urandom(100)
    upload = await store.uploads.create(at("k/ü"), content_type="text/plain", metadata={"owner": "me"})
    two = await store.uploads.put_part(at("k/ü"), upload, 2, stream(last[:40], last[40:]), size=100)
    one = await store.uploads.put_part(at("k/ü"), upload, 1, first)
    assert (one.etag, one.size, one.number) == (hashlib.md5(first).hexdigest(), LEAST, 1)
    parts, more = await store.uploads.parts(at("k/ü"), upload)
    assert ([(part.number, part.size, part.etag) for part in parts], more) == (
        [(1, LEAST, one.etag), (2, 100, two.etag)],
        False,
    )
    with pytest.raises(StoredObjectNotFound):
        await store.head(at("k/ü"))
    info = await store.uploads.complete(at("k/ü"), upload, [(1, one.etag), (2, f'"{two.etag}"')])
    assert (info.etag, info.size) == (composite(first, last), LEAST + 100)
    assert await read(store, "k/ü") == first + last
    stored = await store.head(at("k/ü"))
    assert (stored.etag, stored.content_type, stored.metadata) == (info.etag, "text/plain", {"owner": "me"})
    with pytest.raises(UploadNotFound):
        await store.uploads.parts(at("k/ü"), upload)


async def test_parts_come_by_pages(store):
    upload = await store.uploads.create(at("k"))
    for number in (1, 3, 7):
        await store.uploads.put_part(at("k"), upload, number, b"%d" % number)
    page, more = await store.uploads.parts(at("k"), upload, limit=2)
    assert ([part.number for part in page], more) == ([1, 3], True)
    page, more = await store.uploads.parts(at("k"), upload, after=3, limit=2)
    assert ([part.number for part in page], more) == ([7], False)


async def test_a_part_that_is_larger_than_what_is_gathered(store):
    chunk = os.urandom(1_000_003)
    upload = await store.uploads.create(at("k"))
    part = await store.uploads.put_part(at("k"), upload, 1, stream(*[chunk] * 20), size=20_000_060)
    assert part.etag == hashlib.md5(chunk * 20).hexdigest()
    await store.uploads.complete(at("k"), upload, [(1, part.etag)])
    assert await read(store, "k") == chunk * 20


async def test_a_part_whose_body_breaks_is_no_part(store):
    async def broken():
        for _ in range(12):
            yield bytes(1_000_000)
        raise ConnectionResetError

    upload = await store.uploads.create(at("k"))
    with pytest.raises(ConnectionResetError):
        await store.uploads.put_part(at("k"), upload, 1, broken(), size=20_000_000)
    for sent, declared in ((20, 20_000_001), (1, 999_999), (1, 1_000_001)):
        with pytest.raises(IncompleteBody):
            await store.uploads.put_part(at("k"), upload, 1, stream(*[bytes(1_000_000)] * sent), size=declared)
    assert await store.uploads.parts(at("k"), upload) == ([], False)


async def test_a_part_of_another_object(store):
    data = os.urandom(LEAST + 1000)
    await store.put(at("from +%"), data)
    upload = await store.uploads.create(at("k"))
    one = await store.uploads.copy_part(at("k"), upload, 1, at("from +%"))
    two = await store.uploads.copy_part(at("k"), upload, 2, at("from +%"), ByteRange(10, 19))
    assert (one.etag, one.size) == (hashlib.md5(data).hexdigest(), len(data))
    assert (two.etag, two.size) == (hashlib.md5(data[10:20]).hexdigest(), 10)
    await store.uploads.complete(at("k"), upload, [(1, one.etag), (2, two.etag)])
    assert await read(store, "k") == data + data[10:20]
    upload = await store.uploads.create(at("k"))
    with pytest.raises(StoredObjectNotFound):
        await store.uploads.copy_part(at("k"), upload, 1, at("nothing"))


async def test_parts_that_do_not_fit(store):
    upload = await store.uploads.create(at("k"))
    etags = [(await store.uploads.put_part(at("k"), upload, number, b"%d" % number)).etag for number in (1, 2)]
    with pytest.raises(InvalidPart):
        await store.uploads.complete(at("k"), upload, [(1, etags[1])])
    with pytest.raises(InvalidPart):
        await store.uploads.complete(at("k"), upload, [(3, etags[1])])
    with pytest.raises(InvalidPartOrder):
        await store.uploads.complete(at("k"), upload, [(2, etags[1]), (1, etags[0])])
    with pytest.raises(PartTooSmall):
        await store.uploads.complete(at("k"), upload, [(1, etags[0]), (2, etags[1])])
    with pytest.raises(StoredObjectNotFound):
        await store.head(at("k"))


async def test_conditions_at_the_end(store):
    await store.put(at("k"), b"before")
    upload = await store.uploads.create(at("k"))
    part = await store.uploads.put_part(at("k"), upload, 1, b"after")
    with pytest.raises(PreconditionFailed):
        await store.uploads.complete(at("k"), upload, [(1, part.etag)], mode=PutMode.CREATE)
    with pytest.raises(ContentDiffers):
        await store.uploads.complete(at("k"), upload, [(1, part.etag)], mode=PutMode.ONCE)
    assert await read(store, "k") == b"before"


async def test_an_upload_in_place_of_what_was_seen(store):
    there = await store.put(at("k"), b"before")
    upload = await store.uploads.create(at("k"))
    part = await store.uploads.put_part(at("k"), upload, 1, b"after")
    named = [(1, part.etag)]
    if not isinstance(store, LocalStore):
        with pytest.raises(ConditionUnsupported):
            await store.uploads.complete(at("k"), upload, named, mode=Match(frozenset({there.etag})))
        return
    with pytest.raises(PreconditionFailed):
        await store.uploads.complete(at("k"), upload, named, mode=Match(frozenset({"x"})))
    assert await read(store, "k") == b"before"
    other = await store.uploads.create(at("absent"))
    part = await store.uploads.put_part(at("absent"), other, 1, b"after")
    with pytest.raises(StoredObjectNotFound):
        await store.uploads.complete(at("absent"), other, [(1, part.etag)], mode=Match(frozenset("*")))
    await store.uploads.complete(at("k"), upload, named, mode=Match(frozenset({there.etag})))
    assert await read(store, "k") == b"after"


async def test_parts_of_a_finished_object(store):
    upload = await store.uploads.create(at("k"))
    etags = [
        (await store.uploads.put_part(at("k"), upload, number, data)).etag
        for number, data in ((2, b"x" * LEAST), (5, b"end"))
    ]
    whole = await store.uploads.complete(at("k"), upload, [(2, etags[0]), (5, etags[1])])
    await store.put(at("one"), b"12345")
    await store.copy(at("k"), at("copy"))
    for key in ("k", "copy"):  # stores that are not ours may put a copy in one piece
        assert await store.uploads.part_of(at(key), 1) == ObjectPart(0, LEAST, 2, whole.etag)
        assert await store.uploads.part_of(at(key), 2) == ObjectPart(LEAST, 3, 2, whole.etag)
        assert await store.uploads.part_of(at(key), 3) is None
    assert await store.uploads.part_of(at("one"), 1) == ObjectPart(0, 5, 0, (await store.head(at("one"))).etag)
    assert await store.uploads.part_of(at("one"), 2) is None
    with pytest.raises(StoredObjectNotFound):
        await store.uploads.part_of(at("absent"), 1)


async def test_an_upload_that_is_given_up(store):
    upload = await store.uploads.create(at("k"))
    part = await store.uploads.put_part(at("k"), upload, 1, b"x")
    await store.uploads.abort(at("k"), upload)
    for refused in (
        store.uploads.put_part(at("k"), upload, 1, b"x"),
        store.uploads.parts(at("k"), upload),
        store.uploads.complete(at("k"), upload, [(1, part.etag)]),
        store.uploads.abort(at("k"), upload),
    ):
        with pytest.raises(UploadNotFound):
            await refused
    assert await store.uploads.uploads(B) == ([], False)


async def test_unfinished_uploads_are_listed(store):
    made = [(key, await store.uploads.create(at(key))) for key in ("a/1", "a/2", "b")]
    found, more = await store.uploads.uploads(B)
    assert ([(one.key, one.id) for one in found], more) == (made, False)
    assert all(abs(one.created - time.time()) < 60 for one in found)
    found, more = await store.uploads.uploads(B, prefix="a/", limit=1)
    assert ([one.key for one in found], more) == (["a/1"], True)
    found, more = await store.uploads.uploads(B, prefix="a/", after=(found[0].key, found[0].id))
    assert ([one.key for one in found], more) == (["a/2"], False)
    for key, upload in made:
        await store.uploads.abort(at(key), upload)
    assert await store.uploads.uploads(B) == ([], False)


async def test_a_url_for_one_part(opened):
    async with opened("minio") as store:
        upload = await store.uploads.create(at("k k"))
        query = (("partNumber", "1"), ("uploadId", upload))
        url = store.presign("PUT", Location(B, "k k"), expires=60, endpoint="", query=query)
        with urllib.request.urlopen(urllib.request.Request(url, data=b"sent", method="PUT")) as answer:
            etag = answer.headers["etag"]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(url.replace("Number=1", "Number=2"), b"x", method="PUT"))
        await store.uploads.complete(at("k k"), upload, [(1, etag)])
        assert await read(store, "k k") == b"sent"

# SPDX-License-Identifier: Apache-2.0
"""Our own bucket interface against a running server: memory, and what goes wrong half-way."""

from __future__ import annotations

import asyncio
import os
import stat
import time
import tracemalloc

import httpx2
import msgspec
import pytest

from lakehouse.core import errors
from lakehouse.sdk import Retry
from lakehouse.sdk.buckets import (
    BucketsClient,
)
from lakehouse.sdk.buckets import upload as parts
from tests.server.sdk_buckets.contents import content, filled, local

pytestmark = pytest.mark.anyio
MIB = 2**20


async def test_memory_does_not_grow_with_size_or_number(buckets, bucket, tmp_path) -> None:
    """Many files, and one large file, in the memory of a few parts. LAKEHOUSE_TEST_MIB is the size of the large one,
    LAKEHOUSE_TEST_FILES the number of the others.
    """
    size, number = (
        int(os.environ.get("LAKEHOUSE_TEST_MIB", "64")) * MIB,
        int(os.environ.get("LAKEHOUSE_TEST_FILES", "200")),
    )
    source = filled(tmp_path / "src", {f"{at % 10}/{at:05}": b"x" * 64 for at in range(number)})
    with (source / "big").open("wb") as file:
        file.truncate(size)
    await buckets.upload_dir(local(source / "0"), bucket.uri / "warm")
    tracemalloc.start()
    await buckets.upload_dir(local(source), bucket.uri / "to")
    await buckets.download_dir(bucket.uri / "to", local(tmp_path / "back"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "back" / "big").stat().st_size == size
    assert sum(1 for path in (tmp_path / "back").rglob("*") if stat.S_ISREG(path.stat().st_mode)) == number + 1
    assert peak < (parts.AT_ONCE + 3) * parts.PART


async def test_credentials_that_end_are_renewed(buckets, bucket, monkeypatch) -> None:
    store = buckets._store(bucket)
    await store.put("a", b"1")
    minted = []
    real = store._mint

    async def mint():
        minted.append(1)
        return await real()

    monkeypatch.setattr(store, "_mint", mint)
    await store.put("a", b"2")
    assert minted == []
    store._until = time.time() - 1
    await asyncio.gather(*(store.put("a", b"3") for _ in range(5)))
    assert minted == [1]
    foreign = await buckets.request_tmp_credentials((await buckets.create(None)).id)
    store._held = {**store._held, **{name: foreign.credentials[name] for name in ("secret_access_key",)}}
    with pytest.raises(errors.InsufficientPermissions):
        await store.put("a", b"4")


async def test_the_store_is_asked_again(server, bucket) -> None:
    """What fails for a moment does not fail; what fails for good says so."""
    answers = []

    class Flaky(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            if request.extensions.get("target", b"").startswith(b"/s3/") and answers:
                status = answers.pop(0)
                if status == 0:
                    raise httpx2.ReadError("gone")
                return httpx2.Response(status, request=request)
            return await super().handle_async_request(request)

    retry = msgspec.structs.replace(Retry(), attempts=3, base=0.0)
    pair = {"access_key_id": server.key, "secret_access_key": server.secret}
    async with BucketsClient(server.url, **pair, retry=retry, transport=Flaky()) as client:
        for answers[:] in ([503], [500, 0], [0, 502]):
            await client.buckets.put_blob(bucket.id, "a", b"x")
            assert await content(client.buckets, bucket, "a") == b"x"
        for answers[:] in ([503] * 3, [0] * 3):
            with pytest.raises(errors.Unavailable):
                await client.buckets.put_blob(bucket.id, "a", b"x")


async def test_what_may_have_been_done_is_not_asked_for_again(server) -> None:
    """A broken connection: credentials are asked for again, a bucket is not."""
    broken = []
    asked = []

    class Flaky(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            asked.append((request.method, request.url.path.rpartition("/")[2]))
            if broken and asked[-1][1] == broken[0]:
                broken.pop()
                raise httpx2.ReadError("gone")
            return await super().handle_async_request(request)

    pair = {"access_key_id": server.key, "secret_access_key": server.secret}
    retry = msgspec.structs.replace(Retry(), base=0.0)
    async with BucketsClient(server.url, **pair, retry=retry, transport=Flaky()) as client:
        bucket = await client.buckets.create("flaky")
        for broken[:] in (["make_tmp_credentials"], ["config"]):
            await client.buckets.request_tmp_credentials(bucket.id)
        assert asked.count(("POST", "make_tmp_credentials")) == 3
        broken[:] = ["buckets"]
        with pytest.raises(errors.Unavailable):
            await client.buckets.create("flakier")
        assert asked.count(("POST", "buckets")) == 2

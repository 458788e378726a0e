# SPDX-License-Identifier: Apache-2.0
"""Our own bucket interface against a running server: buckets, credentials and blobs."""

from __future__ import annotations

import asyncio
import os

import httpx2
import pytest

from lakehouse.core import errors
from lakehouse.sdk import Retry
from lakehouse.sdk.buckets import (
    URL,
    BlobCommonPrefix,
    Bucket,
    BucketsClient,
    ResourceNotFound,
)
from lakehouse.sdk.buckets import upload as parts
from tests.server.sdk_buckets.contents import Told, all_of, content, keys, put_all

pytestmark = pytest.mark.anyio
MIB = 2**20


async def test_buckets(buckets, bucket) -> None:
    assert (bucket.owner, bucket.cluster_name, bucket.org_name) == ("admin", "lakehouse", "lakehouse")
    assert (bucket.provider, bucket.imported, bucket.public) == (Bucket.Provider.MINIO, False, False)
    assert bucket.uri == URL(f"blob://lakehouse/lakehouse/admin/{bucket.name}")
    assert await buckets.get(bucket.name) == await buckets.get(bucket.id) == bucket
    assert await buckets.get(bucket.name, bucket_owner="admin", cluster_name="lakehouse") == bucket
    assert bucket in await all_of(buckets.list())
    with pytest.raises(errors.BucketExists):
        await buckets.create(bucket.name)
    with pytest.raises(errors.InvalidName):
        await buckets.create("ab")
    with pytest.raises(ResourceNotFound):
        await buckets.get(bucket.name, bucket_owner="nobody")
    with pytest.raises(ResourceNotFound, match="cluster"):
        await buckets.get(bucket.name, cluster_name="elsewhere")
    nameless = await buckets.create(None)
    await buckets.put_blob(nameless.id, "a", b"x")
    assert await keys(buckets, nameless.uri) == ["a"]
    with pytest.raises(errors.RepositoryNotEmpty):
        await buckets.rm(nameless.id)
    await buckets.blob_rm(nameless.uri, recursive=True)
    await buckets.rm(nameless.id)
    with pytest.raises(ResourceNotFound):
        await buckets.rm(nameless.id)


async def test_imported_buckets(buckets, bucket) -> None:
    lasting = await buckets.persistent_credentials_create([bucket.id], None)
    given = dict(lasting.credentials[0].credentials)
    place = given.pop("bucket_name")
    made = await buckets.import_external(Bucket.Provider.AWS, place, given, name=f"{bucket.name}-there")
    await buckets.put_blob(made.id, "a/b", b"there")
    assert await content(buckets, bucket, "a/b") == b"there"
    assert await keys(buckets, made.uri, recursive=True) == ["a/b"]
    azure = await buckets.import_external(Bucket.Provider.AZURE, "x", {"sas_token": "t"}, f"{bucket.name}-azure")
    assert (await buckets.request_tmp_credentials(azure.id)).credentials == {"bucket_name": "x", "sas_token": "t"}
    with pytest.raises(errors.Unsupported, match="azure"):
        await buckets.head_blob(azure.id, "a")


async def test_credentials(buckets, bucket) -> None:
    found = await buckets.request_tmp_credentials(bucket.name)
    assert (found.bucket_id, found.provider) == (bucket.id, Bucket.Provider.MINIO)
    made = await buckets.persistent_credentials_create((bucket.id,), f"{bucket.name}-keys", read_only=True)
    assert (made.name, made.read_only, made.cluster_name) == (f"{bucket.name}-keys", True, "lakehouse")
    assert await buckets.persistent_credentials_get(made.name) == made
    assert made in await all_of(buckets.persistent_credentials_list())
    with pytest.raises(errors.BucketCredentialsExist):
        await buckets.persistent_credentials_create([bucket.id], made.name)
    with pytest.raises(ResourceNotFound):
        await buckets.persistent_credentials_create(["absent"], None)
    await buckets.persistent_credentials_rm(made.id)
    with pytest.raises(ResourceNotFound):
        await buckets.persistent_credentials_get(made.name)


async def test_signed_urls_and_public_access(buckets, bucket) -> None:
    await put_all(buckets, bucket, "dir/a b+c%20ü")
    async with httpx2.AsyncClient() as http:
        url = await buckets.make_signed_url(bucket.uri / "dir/a b+c%20ü", 60)
        assert (await http.get(str(url))).text == "dir/a b+c%20ü"
        given = (await buckets.request_tmp_credentials(bucket.id)).credentials
        plain = f"{given['endpoint_url']}/{given['bucket_name']}/dir/a%20b%2Bc%2520%C3%BC"
        assert (await http.get(plain)).status_code == 403
        assert (await buckets.set_public_access(bucket.name, True)).public
        assert (await http.get(plain)).text == "dir/a b+c%20ü"
        assert not (await buckets.set_public_access(bucket.name, False)).public
        assert (await http.get(plain)).status_code == 403
    with pytest.raises(errors.InvalidArgument):
        await buckets.make_signed_url(bucket.uri / "a", 0)


async def test_logins(server) -> None:
    async with BucketsClient(server.url, access_key_id=server.key, secret_access_key="wrong" * 8) as client:
        with pytest.raises(errors.Unauthenticated):
            await all_of(client.buckets.list())
    async with BucketsClient(server.url, token="a.e30.c") as client:
        with pytest.raises(errors.LakehouseError):
            await client.buckets.get("x")
    for wrong in ({}, {"token": "x", "access_key_id": "y", "secret_access_key": "z"}, {"access_key_id": "y"}):
        with pytest.raises(errors.InvalidArgument):
            BucketsClient(server.url, **wrong)
    with pytest.raises(errors.InvalidArgument):
        BucketsClient("localhost", token="x")
    async with BucketsClient("http://127.0.0.1:1", token="x", retry=Retry(attempts=1)) as client:
        with pytest.raises(errors.Unavailable):
            await client.buckets.get("x")


async def test_blobs(buckets, bucket) -> None:
    await buckets.put_blob(bucket.id, "dir/a", b"0123456789")
    entry = await buckets.head_blob(bucket.name, "dir/a")
    assert (entry.key, entry.size, entry.name, entry.is_dir(), entry.is_file(entry.uri)) == (
        "dir/a",
        10,
        "a",
        False,
        True,
    )
    assert entry.modified_at.tzinfo is not None
    assert await content(buckets, bucket, "dir/a", 7) == b"789"
    await buckets.put_blob(bucket.id, "dir/a", b"again")
    assert await content(buckets, bucket, "dir/a") == b"again"
    with pytest.raises(errors.RangeNotSatisfiable):
        await content(buckets, bucket, "dir/a", 6)
    await buckets.delete_blob(bucket.id, "dir/a")
    await buckets.delete_blob(bucket.id, "dir/a")
    for call in (
        buckets.head_blob(bucket.id, "dir/a"),
        content(buckets, bucket, "dir/a"),
        content(buckets, bucket, ""),
    ):
        with pytest.raises(errors.LakehouseError):
            await call


@pytest.mark.parametrize("sizes", [[], [0], [3, 4], [parts.PART], [parts.PART + 1], [MIB] * 20, [3 * MIB + 1] * 7])
async def test_bodies_that_come_in_pieces(buckets, bucket, sizes) -> None:
    made = [os.urandom(size) for size in sizes]

    async def pieces():
        for piece in made:
            yield piece

    await buckets.put_blob(bucket.id, "blob", pieces())
    assert await content(buckets, bucket, "blob") == b"".join(made)


async def test_a_body_that_fails_leaves_nothing(buckets, bucket) -> None:
    async def pieces():
        for _ in range(20):
            yield bytes(MIB)
        raise KeyError("the source broke")

    with pytest.raises(KeyError):
        await buckets.put_blob(bucket.id, "blob", pieces())
    assert await keys(buckets, bucket.uri) == []
    await buckets.rm(bucket.id)


async def test_odd_keys(buckets, bucket) -> None:
    odd = ["a b+c", "ü/é", "q?x=1&y#z", "%41 %", "//twice//", "../up", "a:b*c'(d)!~", '"quoted"\\<>', " lead", "\t"]
    await put_all(buckets, bucket, *odd)
    for key in odd:
        assert await content(buckets, bucket, key) == key.encode()
    entries = await all_of(buckets.list_blobs(bucket.uri, recursive=True))
    assert [entry.key for entry in entries] == sorted(odd, key=str.encode)
    for entry in entries:
        if ".." not in entry.key:
            assert [one.key for one in await all_of(buckets.list_blobs(entry.uri, recursive=True))] == [entry.key]
    await buckets.blob_rm(bucket.uri, recursive=True)
    assert await keys(buckets, bucket.uri, recursive=True) == []


async def test_lists(buckets, bucket) -> None:
    await put_all(buckets, bucket, "a", "dir/1", "dir/sub/2", "dirx", "z/3")
    uri = bucket.uri
    assert await keys(buckets, uri) == ["dir/", "z/", "a", "dirx"]
    assert await keys(buckets, uri, recursive=True) == ["a", "dir/1", "dir/sub/2", "dirx", "z/3"]
    assert await keys(buckets, uri / "dir") == ["dir/", "dirx"]
    assert await keys(buckets, uri / "dir/") == ["dir/sub/", "dir/1"]
    assert await keys(buckets, uri, limit=3) == ["dir/", "z/", "a"]
    assert await keys(buckets, uri, limit=None) == ["dir/", "z/", "a", "dirx"]
    assert await keys(buckets, uri, recursive=True, limit=2) == ["a", "dir/1"]
    for same in (f"blob:{bucket.name}/dir/", f"blob:{bucket.id}/dir/", f"blob:/admin/{bucket.name}/dir/",
                 f"blob://lakehouse/admin/{bucket.name}/dir/"):  # fmt: skip
        assert await keys(buckets, URL(same)) == ["dir/sub/", "dir/1"]
    first, *_, last = await all_of(buckets.list_blobs(uri))
    assert isinstance(first, BlobCommonPrefix)
    assert (first.is_dir(), first.is_file(), first.size, first.name, first.uri) == (True, False, 0, "dir", uri / "dir/")
    assert (last.is_dir(), last.name, last.created_at) == (False, "dirx", None)
    with pytest.raises(ResourceNotFound):
        await keys(buckets, URL("blob:absent/a"))
    with pytest.raises(ValueError, match="blob:"):
        await keys(buckets, URL("s3://x/y"))


async def test_long_lists_and_usage(buckets, bucket) -> None:
    assert await all_of(buckets.get_disk_usage(bucket.name)) == []
    store = buckets._store(bucket)
    names = [f"n/{number:04}" for number in range(1050)]
    for start in range(0, len(names), 50):
        await asyncio.gather(*(store.put(name, b"ab") for name in names[start : start + 50]))
    assert await keys(buckets, bucket.uri, recursive=True) == names
    usage = await all_of(buckets.get_disk_usage(bucket.name))
    assert [(one.total_bytes, one.object_count) for one in usage] == [(2 * n, n) for n in range(1, 1051)]
    told = Told()
    await buckets.blob_rm(bucket.uri / "n", recursive=True, progress=told)
    assert [data.uri.name for data in told.of("delete")] == [*(name[2:] for name in names), ""]
    assert [data.is_dir for data in told.of("delete")] == [False] * 1050 + [True]
    assert await keys(buckets, bucket.uri) == []


async def test_globs(buckets, bucket) -> None:
    await put_all(buckets, bucket, "a.txt", "b.bin", "d1/a.txt", "d1/s/a.txt", "d2/c.txt", "[x]")

    async def found(pattern: str) -> list[str]:
        return [entry.key for entry in await all_of(buckets.glob_blobs(URL(f"blob:{bucket.name}/{pattern}")))]

    assert await found("*.txt") == ["a.txt"]
    assert await found("*/*.txt") == ["d1/a.txt", "d2/c.txt"]
    assert await found("d1/**") == ["d1/a.txt", "d1/s/a.txt"]
    assert await found("**/a.txt") == ["a.txt", "d1/a.txt", "d1/s/a.txt"]
    assert await found("**/s/*") == ["d1/s/a.txt"]
    assert await found("d[!1]/*") == ["d2/c.txt"]
    assert await found("%3F.bin") == ["b.bin"]
    assert await found("[[]x]") == ["[x]"]
    assert await found("d*") == ["d1/", "d2/"]
    assert await found("none*") == []
    assert len(await found("**")) == 6

# SPDX-License-Identifier: Apache-2.0
"""minio and obstore, as they are, on repositories. Other clients: tests/compat."""

from __future__ import annotations

import io
import os
import threading
from datetime import timedelta

import httpx2
import minio
import obstore
import obstore.exceptions
import pytest
import urllib3
from minio.commonconfig import ComposeSource, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from obstore.store import S3Store

from tests.s3.lake import KEY, SECRET


@pytest.fixture(scope="module")
def repo(lake):
    return lake.repository()


@pytest.fixture(scope="module")
def mc(lake):
    pool = urllib3.PoolManager(retries=False)
    yield minio.Minio(
        endpoint=lake.endpoint.removeprefix("http://"), access_key=KEY, secret_key=SECRET, secure=False,
        region="us-east-1", http_client=pool,
    )  # fmt: skip
    pool.clear()


def test_minio(mc, repo):
    data = os.urandom(12_000_000)
    mc.put_object(
        bucket_name=repo, object_name="main/m/ü +", data=io.BytesIO(data), length=-1, part_size=5 * 2**20,
        content_type="a/b", metadata={"owner": "me"},
    )  # fmt: skip
    response = mc.get_object(bucket_name=repo, object_name="main/m/ü +", offset=10, length=20)
    assert response.read() == data[10:30]
    response.close()
    found = mc.stat_object(bucket_name=repo, object_name="main/m/ü +")
    assert (found.size, found.content_type, found.metadata["x-amz-meta-owner"]) == (12_000_000, "a/b", "me")
    source = CopySource(bucket_name=repo, object_name="main/m/ü +")
    mc.copy_object(bucket_name=repo, object_name="main/m/copy", source=source)
    parts = [ComposeSource(bucket_name=repo, object_name="main/m/ü +")] * 2
    mc.compose_object(bucket_name=repo, object_name="main/m/twice", sources=parts)
    assert mc.stat_object(bucket_name=repo, object_name="main/m/twice").size == 24_000_000
    names = [line.object_name for line in mc.list_objects(bucket_name=repo, prefix="main/", recursive=True)]
    assert names == ["main/m/copy", "main/m/twice", "main/m/ü +"]
    assert [line.object_name for line in mc.list_objects(bucket_name=repo)] == ["main/"]
    tags = Tags.new_object_tags()
    tags["k"] = "v w"
    mc.set_object_tags(bucket_name=repo, object_name="main/m/copy", tags=tags)
    assert mc.get_object_tags(bucket_name=repo, object_name="main/m/copy") == {"k": "v w"}
    gone = [DeleteObject(name) for name in ("main/m/copy", "main/m/twice")]
    assert list(mc.remove_objects(bucket_name=repo, delete_object_list=gone)) == []
    with pytest.raises(S3Error, match="NoSuchKey"):
        mc.stat_object(bucket_name=repo, object_name="main/m/copy")
    assert mc.bucket_exists(bucket_name=repo)
    assert not mc.bucket_exists(bucket_name="nobody")
    assert repo in [bucket.name for bucket in mc.list_buckets()]
    url = mc.presigned_get_object(bucket_name=repo, object_name="main/m/ü +", expires=timedelta(minutes=5))
    assert httpx2.get(url, trust_env=False).content == data


def test_obstore(lake, repo):
    store = S3Store(
        repo, endpoint=lake.endpoint, access_key_id=KEY, secret_access_key=SECRET, region="us-east-1",
        prefix="main/o", client_options={"allow_http": True}, virtual_hosted_style_request=False,
    )  # fmt: skip
    data = os.urandom(12_000_000)
    obstore.put(store, "big", data, use_multipart=True, chunk_size=5 * 2**20)
    obstore.put(store, "dir/small", b"1", attributes={"Content-Type": "a/b", "owner": "me"})
    assert bytes(obstore.get(store, "big").bytes()) == data
    assert bytes(obstore.get_range(store, "big", start=7, length=11)) == data[7:18]
    assert obstore.get(store, "dir/small").attributes["Content-Type"] == "a/b"
    assert [line["path"] for page in obstore.list(store) for line in page] == ["big", "dir/small"]
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(store, "dir/small", b"2", mode="create")
    first = obstore.head(store, "dir/small")
    update = {"e_tag": first["e_tag"]}
    obstore.put(store, "dir/small", b"2", mode=update)
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.put(store, "dir/small", b"3", mode=update)
    assert bytes(obstore.get(store, "dir/small").bytes()) == b"2"
    obstore.copy(store, "big", "copied")
    obstore.rename(store, "copied", "renamed")
    obstore.delete(store, ["big", "renamed", "dir/small"])
    assert [line["path"] for page in obstore.list(store) for line in page] == []


def test_of_many_writers_with_one_condition_exactly_one_succeeds(lake, s3, repo):
    from botocore.exceptions import ClientError

    etag = s3.put_object(Bucket=repo, Key="main/race", Body=b"0")["ETag"]
    for condition in ({"IfMatch": etag}, {"IfNoneMatch": "*"}):
        if "IfNoneMatch" in condition:
            s3.delete_object(Bucket=repo, Key="main/race")
        stored = s3.list_objects_v2(Bucket="lake.local", Prefix=f"{repo}/")["Contents"]
        before = sum("/data/" in line["Key"] for line in stored)
        won: list[int] = []
        lost: list[str] = []

        def write(number, condition=condition, won=won, lost=lost):
            try:
                s3.put_object(Bucket=repo, Key="main/race", Body=b"w%d" % number, **condition)
                won.append(number)
            except ClientError as error:
                lost.append(error.response["Error"]["Code"])

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), set(lost)) == (1, {"PreconditionFailed"})
        stored = s3.list_objects_v2(Bucket="lake.local", Prefix=f"{repo}/")["Contents"]
        assert sum("/data/" in line["Key"] for line in stored) <= before + 1, "what was refused leaves no bytes"
        assert s3.get_object(Bucket=repo, Key="main/race")["Body"].read() == b"w%d" % won[0]

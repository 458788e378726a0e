# SPDX-License-Identifier: Apache-2.0
"""The minio client, as it is, against the S3 side."""

from __future__ import annotations

import io
import os
from datetime import timedelta

import pytest
import urllib3
from minio.commonconfig import CopySource
from minio.error import S3Error

from tests.s3.served import BUCKET


def test_objects(mc):
    data = os.urandom(100_000)
    mc.put_object(
        bucket_name=BUCKET, object_name="m/ü +", data=io.BytesIO(data), length=len(data), content_type="a/b",
        metadata={"owner": "me"},
    )  # fmt: skip
    response = mc.get_object(bucket_name=BUCKET, object_name="m/ü +", offset=10, length=20)
    assert response.read() == data[10:30]
    response.close()
    found = mc.stat_object(bucket_name=BUCKET, object_name="m/ü +")
    assert (found.size, found.content_type, found.metadata["x-amz-meta-owner"]) == (100_000, "a/b", "me")
    mc.copy_object(bucket_name=BUCKET, object_name="m/copy", source=CopySource(bucket_name=BUCKET, object_name="m/ü +"))
    names = [line.object_name for line in mc.list_objects(bucket_name=BUCKET, prefix="m/")]
    assert names == ["m/copy", "m/ü +"]
    mc.remove_object(bucket_name=BUCKET, object_name="m/copy")
    with pytest.raises(S3Error, match="NoSuchKey"):
        mc.stat_object(bucket_name=BUCKET, object_name="m/copy")
    assert mc.bucket_exists(bucket_name=BUCKET)
    assert not mc.bucket_exists(bucket_name="nobody.here")


def test_a_stream_in_parts(mc):
    data = os.urandom(12_000_000)
    mc.put_object(bucket_name=BUCKET, object_name="long", data=io.BytesIO(data), length=-1, part_size=5 * 1024 * 1024)
    response = mc.get_object(bucket_name=BUCKET, object_name="long")
    assert response.read() == data
    response.close()


def test_presigned(mc):
    put = mc.presigned_put_object(bucket_name=BUCKET, object_name="pre", expires=timedelta(minutes=1))
    get = mc.presigned_get_object(bucket_name=BUCKET, object_name="pre", expires=timedelta(minutes=1))
    with urllib3.PoolManager() as pool:
        assert pool.request("PUT", put, body=b"presigned").status == 200
        assert pool.request("GET", get).data == b"presigned"

# SPDX-License-Identifier: Apache-2.0
"""Reading an object by the number of one of its parts: repositories, and the store's own buckets."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.s3.test_boto3 import code

PART = 5 * 2**20


@pytest.fixture(scope="module", params=["repository", "store"])
def place(request, lake, s3):
    bucket = lake.repository() if request.param == "repository" else "lake.local"
    name = {"Bucket": bucket, "Key": "main/parts"}
    upload = s3.create_multipart_upload(**name)["UploadId"]
    tags = [
        s3.upload_part(**name, UploadId=upload, PartNumber=number, Body=body)["ETag"]
        for number, body in ((3, b"a" * PART), (9, b"bcd"))
    ]
    parts = {"Parts": [{"PartNumber": n, "ETag": tag} for n, tag in zip((3, 9), tags, strict=True)]}
    s3.complete_multipart_upload(**name, UploadId=upload, MultipartUpload=parts)
    s3.put_object(Bucket=bucket, Key="main/single", Body=b"12345")
    s3.put_object(Bucket=bucket, Key="main/empty", Body=b"")
    return name


def refused(want, call, **arguments) -> None:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert code(caught) == want


def test_parts_as_they_were_uploaded(s3, place):
    whole = s3.head_object(**place)
    for number, size, content_range in ((1, PART, f"bytes 0-{PART - 1}"), (2, 3, f"bytes {PART}-{PART + 2}")):
        got = s3.get_object(**place, PartNumber=number)
        assert (got["ContentLength"], got["PartsCount"], got["ETag"]) == (size, 2, whole["ETag"])
        assert got["ContentRange"] == f"{content_range}/{PART + 3}"
        assert len(got["Body"].read()) == size
        head = s3.head_object(**place, PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"]) == (size, 2)
        assert head["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.get_object(**place, PartNumber=2)["Body"].read() == b"bcd"
    refused(("InvalidPartNumber", 416), s3.get_object, **place, PartNumber=3)
    refused(("416", 416), s3.head_object, **place, PartNumber=3)
    refused(("InvalidRequest", 400), s3.get_object, **place, PartNumber=1, Range="bytes=0-1")
    for bad in (0, 10_001):
        refused(("InvalidArgument", 400), s3.get_object, **place, PartNumber=bad)
    refused(("NoSuchKey", 404), s3.get_object, Bucket=place["Bucket"], Key="main/absent", PartNumber=1)


def test_an_object_in_one_piece_is_its_first_part(s3, place):
    single = {"Bucket": place["Bucket"], "Key": "main/single"}
    got = s3.get_object(**single, PartNumber=1)
    assert (got["Body"].read(), got["ContentRange"], "PartsCount" in got) == (b"12345", "bytes 0-4/5", False)
    refused(("InvalidPartNumber", 416), s3.get_object, **single, PartNumber=2)
    empty = s3.get_object(Bucket=place["Bucket"], Key="main/empty", PartNumber=1)
    assert (empty["Body"].read(), empty["ContentLength"]) == (b"", 0)


def test_copies_have_the_parts_of_their_source(s3, place):
    copied = {**place, "Key": "main/copied"}
    s3.copy_object(**copied, CopySource=place)
    assert s3.get_object(**copied, PartNumber=2)["Body"].read() == b"bcd"

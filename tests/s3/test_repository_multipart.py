# SPDX-License-Identifier: Apache-2.0
"""boto3, as it is: objects of a repository in parts."""

from __future__ import annotations

import hashlib
import os

import pytest
from botocore.exceptions import ClientError

from tests.s3.test_boto3 import code

FIVE = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def repo(lake):
    return lake.repository()


@pytest.fixture(scope="module")
def big():
    return os.urandom(FIVE)


def begin(s3, place, **options) -> dict:
    return {**place, "UploadId": s3.create_multipart_upload(**place, **options)["UploadId"]}


def finish(s3, upload, *parts, **options):
    listed = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed}, **options)


def test_a_file_in_parts(lake, s3, repo, tmp_path):
    data = os.urandom(20_000_000)
    (tmp_path / "f").write_bytes(data)
    options = {"ContentType": "a/b", "Metadata": {"k": "v"}, "Tagging": "t=1"}
    s3.upload_file(str(tmp_path / "f"), repo, "main/big/file", ExtraArgs=options)
    head = s3.head_object(Bucket=repo, Key="main/big/file")
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (20_000_000, "a/b", {"k": "v"})
    assert head["ETag"].endswith('-3"')
    assert s3.get_object_tagging(Bucket=repo, Key="main/big/file")["TagSet"] == [{"Key": "t", "Value": "1"}]
    assert lake.stat(repo, "main", "big/file")["checksum"] == head["ETag"].strip('"').partition("-")[0]
    lake.commit(repo)
    (listed,) = s3.list_objects_v2(Bucket=repo, Prefix="main/big/")["Contents"]
    assert listed["ETag"] == head["ETag"]
    s3.download_file(repo, "main/big/file", str(tmp_path / "g"))
    assert (tmp_path / "g").read_bytes() == data
    s3.copy({"Bucket": repo, "Key": "main/big/file"}, repo, "main/big/copy")
    assert s3.get_object(Bucket=repo, Key="main/big/copy", IfMatch=head["ETag"])["Body"].read() == data
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=repo)


def test_step_by_step(s3, repo, big):
    place = {"Bucket": repo, "Key": "main/steps/ü x"}
    upload = begin(s3, place)
    first = s3.upload_part(**upload, PartNumber=2, Body=b"tail")["ETag"]
    s3.upload_part(**upload, PartNumber=1, Body=b"replaced")
    second = s3.upload_part(**upload, PartNumber=1, Body=big)["ETag"]
    listed = s3.list_parts(**upload, MaxParts=1)
    assert ([part["PartNumber"] for part in listed["Parts"]], listed["IsTruncated"]) == ([1], True)
    small = s3.upload_part(**upload, PartNumber=3, Body=b"")["ETag"]
    for parts, want in (
        ([(2, first), (1, second)], "InvalidPartOrder"), ([(1, second), (9, "x")], "InvalidPart"),
        ([(1, second), (2, second)], "InvalidPart"), ([(1, second), (2, first), (3, small)], "EntityTooSmall"),
        ([], "MalformedXML"),
    ):  # fmt: skip
        with pytest.raises(ClientError) as caught:
            finish(s3, upload, *parts)
        assert code(caught) == (want, 400)
    with pytest.raises(ClientError):
        s3.head_object(**place)
    done = finish(s3, upload, (1, second), (2, first))
    digests = hashlib.md5(big).digest() + hashlib.md5(b"tail").digest()
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    assert s3.head_object(**place)["ETag"] == done["ETag"]
    assert s3.get_object(**place)["Body"].read() == big + b"tail"
    for call in (
        lambda: finish(s3, upload, (1, second)),
        lambda: s3.abort_multipart_upload(**upload),
        lambda: s3.upload_part(**upload, PartNumber=1, Body=b"x"),
        lambda: s3.list_parts(**place, UploadId="nonsense"),
        lambda: s3.list_parts(Bucket=repo, Key="main/other", UploadId=begin(s3, place)["UploadId"]),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code(caught) == ("NoSuchUpload", 404)


def test_part_numbers_and_ranges_that_cannot_be(s3, repo):
    upload = begin(s3, {"Bucket": repo, "Key": "main/numbers"})
    for number in (0, -1, 10_001):
        with pytest.raises(ClientError) as caught:
            s3.upload_part(**upload, PartNumber=number, Body=b"x")
        assert code(caught) == ("InvalidArgument", 400)
    s3.put_object(Bucket=repo, Key="main/source", Body=b"0123456789")
    for asked, want in (("bytes=5-2", "InvalidArgument"), ("0-3", "InvalidArgument"), ("bytes=10-12", "InvalidRange")):
        with pytest.raises(ClientError) as caught:
            s3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{repo}/main/source", CopySourceRange=asked)
        assert code(caught)[0] == want
    s3.abort_multipart_upload(**upload)


def test_parts_copied(lake, s3, repo):
    other = lake.repository()
    s3.put_object(Bucket=other, Key="main/origin", Body=b"0123456789")
    place = {"Bucket": repo, "Key": "main/assembled"}
    upload = begin(s3, place)
    part = s3.upload_part_copy(
        **upload, PartNumber=1, CopySource={"Bucket": other, "Key": "main/origin"}, CopySourceRange="bytes=2-5"
    )
    finish(s3, upload, (1, part["CopyPartResult"]["ETag"]))
    assert s3.get_object(**place)["Body"].read() == b"2345"
    upload = begin(s3, place)
    with pytest.raises(ClientError) as caught:
        s3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{other}/main/nothing")
    assert code(caught) == ("NoSuchKey", 404)
    s3.abort_multipart_upload(**upload)
    assert s3.get_object(**place)["Body"].read() == b"2345"


def test_a_commit_in_between_changes_nothing(lake, s3, repo):
    upload = begin(s3, {"Bucket": repo, "Key": "main/through"})
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]
    s3.put_object(Bucket=repo, Key="main/beside", Body=b"x")
    lake.commit(repo)
    finish(s3, upload, (1, etag))
    assert s3.get_object(Bucket=repo, Key="main/through")["Body"].read() == b"part"


def test_conditions(s3, repo):
    place = {"Bucket": repo, "Key": "main/cond"}
    uploads = [begin(s3, place) for _ in range(3)]
    tags = [s3.upload_part(**upload, PartNumber=1, Body=b"c")["ETag"] for upload in uploads]
    done = finish(s3, uploads[0], (1, tags[0]), IfNoneMatch="*")["ETag"]
    for options in ({"IfNoneMatch": "*"}, {"IfMatch": '"other-1"'}):
        with pytest.raises(ClientError) as caught:
            finish(s3, uploads[1], (1, tags[1]), **options)
        assert code(caught) == ("PreconditionFailed", 412)
    finish(s3, uploads[1], (1, tags[1]), IfMatch=done)
    finish(s3, uploads[2], (1, tags[2]))


def test_what_is_unfinished_is_listed(lake, s3):
    repo = lake.repository()
    lake.branch(repo, "dev")
    names = ["main/a/1", "main/a/2", "main/b", "main/ü &", "dev/b"]
    uploads = [begin(s3, {"Bucket": repo, "Key": key}) for key in (*names, "main/b")]

    def listed(**options):
        found = s3.list_multipart_uploads(Bucket=repo, **options)
        return [line["Key"] for line in found.get("Uploads", [])], [
            line["Prefix"] for line in found.get("CommonPrefixes", [])
        ]

    assert listed() == (["b", "a/1", "a/2", "b", "b", "ü &"], [])
    assert listed(Prefix="main/a") == (["a/1", "a/2"], [])
    assert listed(Prefix="main/", Delimiter="/") == (["b", "b", "ü &"], ["main/a/"])
    assert listed(Prefix="main/ü", EncodingType="url") == (["%C3%BC%20%26"], [])
    assert listed(KeyMarker="main/b") == (["ü &"], [])
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=repo, PaginationConfig={"PageSize": 1})
    assert [line["UploadId"] for page in pages for line in page.get("Uploads", [])] == [
        line["UploadId"] for line in s3.list_multipart_uploads(Bucket=repo)["Uploads"]
    ]
    grouped = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=repo, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    assert [line["Prefix"] for page in grouped for line in page.get("CommonPrefixes", [])] == ["dev/", "main/"]
    for line in s3.list_multipart_uploads(Bucket=repo)["Uploads"]:  # by the keys that the list shows
        s3.abort_multipart_upload(Bucket=repo, Key=line["Key"], UploadId=line["UploadId"])
    assert listed() == ([], [])
    with pytest.raises(ClientError) as caught:
        s3.abort_multipart_upload(**uploads[0])
    assert code(caught) == ("NoSuchUpload", 404)


def test_an_upload_given_up_leaves_no_bytes(lake, s3, big):
    repo = lake.repository()
    upload = begin(s3, {"Bucket": repo, "Key": "main/given-up"})
    s3.upload_part(**upload, PartNumber=1, Body=big)
    s3.abort_multipart_upload(**upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="lake.local", Prefix=f"{repo}/")
    kept = s3.list_objects_v2(Bucket="lake.local", Prefix=f"{repo}/").get("Contents", [])
    assert [line["Key"] for line in kept if "/data/" in line["Key"]] == []

# SPDX-License-Identifier: Apache-2.0
"""boto3, as it is, on objects of a repository: `s3://repository/branch/path`."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.s3.test_boto3 import ODD, code


@pytest.fixture(scope="module")
def repo(lake):
    return lake.repository()


def test_put_get_head_delete(lake, s3, repo):
    put = s3.put_object(
        Bucket=repo, Key="main/a/b.txt", Body=b"hello", ContentType="text/plain", Metadata={"Owner": "me"},
        CacheControl="no-cache", ContentEncoding="x-own",
    )  # fmt: skip
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    got = s3.get_object(Bucket=repo, Key="main/a/b.txt")
    assert got["Body"].read() == b"hello"
    assert (got["ContentType"], got["Metadata"], got["CacheControl"]) == ("text/plain", {"owner": "me"}, "no-cache")
    assert got["ContentEncoding"] == "x-own"
    headers = got["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    head = s3.head_object(Bucket=repo, Key="main/a/b.txt")
    assert (head["ContentLength"], head["ETag"], head["AcceptRanges"]) == (5, put["ETag"], "bytes")
    assert abs(head["LastModified"] - datetime.now(UTC)) < timedelta(minutes=1)
    stats = lake.stat(repo, "main", "a/b.txt")
    assert stats["checksum"] == hashlib.md5(b"hello").hexdigest()
    assert stats["metadata"]["X-Amz-Meta-owner"] == "me"
    s3.delete_object(Bucket=repo, Key="main/a/b.txt")
    s3.delete_object(Bucket=repo, Key="main/a/b.txt")
    s3.delete_object(Bucket=repo, Key="nowhere/a/b.txt")
    for missing in ("main/a/b.txt", "nowhere/a", "bad~~^ref{/a"):
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket=repo, Key=missing)
        assert code(caught) == ("NoSuchKey", 404)
        with pytest.raises(ClientError) as caught:
            s3.head_object(Bucket=repo, Key=missing)
        assert code(caught) == ("404", 404)


def test_a_write_shows_on_its_branch_only_until_it_is_committed_and_merged(lake, s3):
    repo = lake.repository()
    lake.branch(repo, "dev")
    s3.put_object(Bucket=repo, Key="dev/x", Body=b"1")
    first = lake.commit(repo, "dev")
    s3.put_object(Bucket=repo, Key="dev/x", Body=b"2")
    for ref, want in (("dev", b"2"), ("dev@", b"1"), (first, b"1"), (first[:12], b"1")):
        assert s3.get_object(Bucket=repo, Key=f"{ref}/x")["Body"].read() == want
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=repo, Key="main/x")
    assert code(caught) == ("NoSuchKey", 404)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=repo, Key=f"{first}/x", Body=b"3")
    assert code(caught) == ("NoSuchBucket", 404)


@pytest.mark.parametrize("size", [0, 1, 4096, 3_000_000])
def test_sizes(s3, repo, size):
    data = os.urandom(size)
    s3.put_object(Bucket=repo, Key="main/size", Body=io.BytesIO(data))
    assert s3.get_object(Bucket=repo, Key="main/size")["Body"].read() == data


@pytest.mark.parametrize("key", ODD)
def test_odd_keys(s3, lake, key):
    repo = lake.repository()
    name = f"main/{key}"
    s3.put_object(Bucket=repo, Key=name, Body=key.encode())
    assert s3.get_object(Bucket=repo, Key=name)["Body"].read() == key.encode()
    assert [line["Key"] for line in s3.list_objects_v2(Bucket=repo, Prefix="main/")["Contents"]] == [name]
    assert [line["Key"] for line in s3.list_objects(Bucket=repo, Prefix=name[:6])["Contents"]] == [name]
    copied = s3.copy_object(Bucket=repo, Key="main/copy", CopySource={"Bucket": repo, "Key": name})
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(key.encode()).hexdigest()}"'
    s3.delete_object(Bucket=repo, Key=name)
    assert s3.list_objects_v2(Bucket=repo, Prefix="main/")["KeyCount"] == 1


def test_keys_that_cannot_be(s3, repo):
    for key, want in ((f"main/{'k' * 1025}", "KeyTooLongError"), ("main/nul\x00", "InvalidURI")):
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket=repo, Key=key, Body=b"")
        assert code(caught) == (want, 400)


def test_a_key_without_a_path(s3, repo):
    s3.put_object(Bucket=repo, Key="main/", Body=b"")
    s3.delete_object(Bucket=repo, Key="main/")
    for key in ("main", "main/"):
        with pytest.raises(ClientError) as caught:
            s3.head_object(Bucket=repo, Key=key)
        assert code(caught)[1] == 404
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=repo, Key="nowhere/", Body=b"")
    assert code(caught) == ("NoSuchBucket", 404)


def test_ranges(s3, repo):
    data = os.urandom(1_000_000)
    s3.put_object(Bucket=repo, Key="main/r", Body=data)

    def read(asked):
        return s3.get_object(Bucket=repo, Key="main/r", Range=asked)

    got = read("bytes=10-19")
    assert (got["Body"].read(), got["ContentRange"]) == (data[10:20], "bytes 10-19/1000000")
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert read("bytes=-7")["Body"].read() == data[-7:]
    assert read("bytes=300000-")["Body"].read() == data[300_000:]
    assert read("bytes=999990-2000000")["Body"].read() == data[-10:]
    assert read("nonsense")["Body"].read() == data
    assert s3.head_object(Bucket=repo, Key="main/r", Range="bytes=0-9")["ContentLength"] == 10
    with pytest.raises(ClientError) as caught:
        read("bytes=1000000-")
    assert code(caught) == ("InvalidRange", 416)
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket=repo, Key="main/r", Range="bytes=1000000-")
    assert code(caught)[1] == 416


def test_conditions_of_reads(s3, repo):
    etag = s3.put_object(Bucket=repo, Key="main/c", Body=b"1")["ETag"]
    old, future = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)
    assert s3.get_object(Bucket=repo, Key="main/c", IfMatch=etag)["Body"].read() == b"1"
    assert s3.get_object(Bucket=repo, Key="main/c", IfModifiedSince=old)["Body"].read() == b"1"
    for refused, status in (
        ({"IfMatch": '"other"'}, 412), ({"IfUnmodifiedSince": old}, 412), ({"IfNoneMatch": etag}, 304),
        ({"IfModifiedSince": future}, 304),
    ):  # fmt: skip
        for read in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as caught:
                read(Bucket=repo, Key="main/c", **refused)
            assert code(caught)[1] == status


def test_conditions_of_writes(lake, s3):
    repo = lake.repository()
    first = s3.put_object(Bucket=repo, Key="main/c", Body=b"1", IfNoneMatch="*")["ETag"]
    second = s3.put_object(Bucket=repo, Key="main/c", Body=b"2", IfMatch=first)["ETag"]
    lake.commit(repo)
    for refused, want in (
        ({"IfNoneMatch": "*"}, ("PreconditionFailed", 412)), ({"IfMatch": first}, ("PreconditionFailed", 412)),
        ({"IfNoneMatch": '"abc"'}, ("NotImplemented", 501)),
    ):  # fmt: skip
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket=repo, Key="main/c", Body=b"3", **refused)
        assert code(caught) == want
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=repo, Key="main/absent", Body=b"3", IfMatch=second)
    assert code(caught) == ("NoSuchKey", 404)
    assert s3.get_object(Bucket=repo, Key="main/c")["Body"].read() == b"2"
    s3.put_object(Bucket=repo, Key="main/c", Body=b"4", IfMatch=second)
    s3.delete_object(Bucket=repo, Key="main/c")
    s3.put_object(Bucket=repo, Key="main/c", Body=b"5", IfNoneMatch="*")


def test_response_headers_can_be_overridden(s3, repo):
    s3.put_object(Bucket=repo, Key="main/o", Body=b"x", ContentType="text/plain")
    got = s3.get_object(Bucket=repo, Key="main/o", ResponseContentType="a/b", ResponseCacheControl="no-store")
    assert (got["ContentType"], got["CacheControl"]) == ("a/b", "no-store")
    html = s3.get_object(Bucket=repo, Key="main/o", ResponseContentType="text/html")
    assert html["ContentDisposition"] == "attachment"


def test_metadata_beyond_ascii_and_too_much_of_it(s3, repo):
    word = "=?utf-8?b?Z3LDvG4=?="
    s3.put_object(Bucket=repo, Key="main/m", Body=b"", Metadata={"colour": word})
    assert s3.head_object(Bucket=repo, Key="main/m")["Metadata"]["colour"] == word
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=repo, Key="main/m", Body=b"", Metadata={"long": "x" * 2048})
    assert code(caught) == ("MetadataTooLarge", 400)


def test_tags(lake, s3, repo):
    def tags(key="main/t"):
        return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=repo, Key=key)["TagSet"]}

    s3.put_object(Bucket=repo, Key="main/t", Body=b"x", Tagging="a=1&b=two+words", Metadata={"k": "v"})
    assert tags() == {"a": "1", "b": "two words"}
    s3.copy_object(Bucket=repo, Key="main/t2", CopySource=f"{repo}/main/t")
    assert tags("main/t2") == tags()
    s3.copy_object(
        Bucket=repo, Key="main/t2", CopySource=f"{repo}/main/t", TaggingDirective="REPLACE", Tagging="only=this"
    )
    assert tags("main/t2") == {"only": "this"}
    s3.put_object_tagging(Bucket=repo, Key="main/t", Tagging={"TagSet": [{"Key": "ü&", "Value": "="}]})
    assert tags() == {"ü&": "="}
    assert s3.head_object(Bucket=repo, Key="main/t")["Metadata"] == {"k": "v"}
    s3.delete_object_tagging(Bucket=repo, Key="main/t")
    assert tags() == {}
    many = {"TagSet": [{"Key": str(number), "Value": ""} for number in range(11)]}
    with pytest.raises(ClientError) as caught:
        s3.put_object_tagging(Bucket=repo, Key="main/t", Tagging=many)
    assert code(caught) == ("InvalidTag", 400)
    with pytest.raises(ClientError) as caught:
        s3.get_object_tagging(Bucket=repo, Key="main/none")
    assert code(caught) == ("NoSuchKey", 404)


def test_copy(lake, s3, repo):
    other = lake.repository()
    data = b"x" * 400_000
    s3.put_object(Bucket=repo, Key="main/from ü+", Body=data, ContentType="a/b", Metadata={"k": "v"})
    lake.commit(repo)
    copied = s3.copy_object(Bucket=other, Key="main/to", CopySource={"Bucket": repo, "Key": "main/from ü+"})
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    head = s3.head_object(Bucket=other, Key="main/to")
    assert (head["ContentType"], head["Metadata"], head["ContentLength"]) == ("a/b", {"k": "v"}, 400_000)
    s3.copy_object(
        Bucket=other, Key="main/to", CopySource=f"{other}/main/to", MetadataDirective="REPLACE", ContentType="c/d"
    )
    head = s3.head_object(Bucket=other, Key="main/to")
    assert (head["ContentType"], head["Metadata"], head["ContentLength"]) == ("c/d", {}, 400_000)
    for source, want in (
        (f"{repo}/main/none", ("NoSuchKey", 404)), ("nowhere/main/x", ("NoSuchKey", 404)),
        (repo, ("InvalidArgument", 400)), (f"{repo}/main", ("InvalidArgument", 400)),
    ):  # fmt: skip
        with pytest.raises(ClientError) as caught:
            s3.copy_object(Bucket=other, Key="main/to2", CopySource=source)
        assert code(caught) == want
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=other, Key="main/y", CopySource=f"{other}/main/to", CopySourceIfMatch='"no"')
    assert code(caught) == ("PreconditionFailed", 412)


def test_an_object_whose_bytes_are_gone(lake, s3, repo):
    s3.put_object(Bucket=repo, Key="main/hollow", Body=b"x" * 100)
    address = lake.stat(repo, "main", "hollow")["physical_address"]
    s3.delete_object(Bucket="lake.local", Key=address.removeprefix("s3://lake.local/"))
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=repo, Key="main/hollow")
    assert code(caught) == ("NoSuchVersion", 404)
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=repo, Key="main/copied", CopySource=f"{repo}/main/hollow")
    assert code(caught) == ("InvalidRequest", 400)
    upload = s3.create_multipart_upload(Bucket=repo, Key="main/copied")["UploadId"]
    with pytest.raises(ClientError) as caught:
        s3.upload_part_copy(
            Bucket=repo, Key="main/copied", UploadId=upload, PartNumber=1, CopySource=f"{repo}/main/hollow"
        )
    assert code(caught) == ("InvalidRequest", 400)


def test_delete_objects(lake, s3):
    repo = lake.repository()
    lake.branch(repo, "dev")
    for branch in ("main", "dev"):
        s3.put_object(Bucket=repo, Key=f"{branch}/d", Body=b"")
    asked = {"Objects": [{"Key": key} for key in ("main/d", "dev/d", "main/never", "nowhere/x", f"main/{'k' * 1025}")]}
    told = s3.delete_objects(Bucket=repo, Delete=asked)
    assert sorted(line["Key"] for line in told["Deleted"]) == ["dev/d", "main/d", "main/never", "nowhere/x"]
    assert [line["Code"] for line in told["Errors"]] == ["KeyTooLongError"]
    for branch in ("main", "dev"):
        assert s3.list_objects_v2(Bucket=repo, Prefix=f"{branch}/")["KeyCount"] == 0
    quiet = s3.delete_objects(Bucket=repo, Delete={"Objects": [{"Key": "main/d"}], "Quiet": True})
    assert "Deleted" not in quiet
    with pytest.raises(ClientError) as caught:
        s3.delete_objects(Bucket=repo, Delete={"Objects": [{"Key": f"main/{n}"} for n in range(1001)]})
    assert code(caught) == ("MalformedXML", 400)


def test_protected_branches_and_read_only_repositories(lake, s3):
    repo = lake.repository()
    s3.put_object(Bucket=repo, Key="main/x", Body=b"")
    rules = lake.rest.put(f"/repositories/{repo}/settings/branch_protection", json=[{"pattern": "main"}])
    assert rules.status_code == 204
    closed = lake.repository(read_only=True)
    for bucket, want in ((repo, "ErrWriteToProtectedBranch"), (closed, "ErrReadOnlyRepository")):
        for write in (
            lambda b=bucket: s3.put_object(Bucket=b, Key="main/x", Body=b"1"),
            lambda b=bucket: s3.delete_object(Bucket=b, Key="main/x"),
            lambda b=bucket: s3.copy_object(Bucket=b, Key="main/x", CopySource=f"{repo}/main/x"),
            lambda b=bucket: s3.create_multipart_upload(Bucket=b, Key="main/x"),
        ):
            with pytest.raises(ClientError) as caught:
                write()
            assert code(caught) == (want, 403)
        told = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "main/x"}]})
        assert [line["Code"] for line in told["Errors"]] == [want]

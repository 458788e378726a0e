# SPDX-License-Identifier: Apache-2.0
"""boto3, as it is, against the S3 side."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.s3.conftest import boto_client
from tests.s3.served import BUCKET, OTHER_KEY, OTHER_SECRET

ODD = [
    "a b", "a+b", "a%2Fb", "grün/日本", "//x", "x//y", "a/../b", "/lead", "a/./b", "a,b;c=d&e?f#g", "😀", "~-._",
    "'\"*()!",
    "line\nbreak", "\x01control", "k" * 1024,
]  # fmt: skip


def code(caught) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_put_get_head_delete(boto):
    put = boto.put_object(
        Bucket=BUCKET, Key="a/b.txt", Body=b"hello", ContentType="text/plain", Metadata={"owner": "me"},
        CacheControl="no-cache", ContentEncoding="x-own",
    )  # fmt: skip
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    got = boto.get_object(Bucket=BUCKET, Key="a/b.txt")
    assert got["Body"].read() == b"hello"
    assert (got["ContentType"], got["Metadata"], got["CacheControl"]) == ("text/plain", {"owner": "me"}, "no-cache")
    assert got["ContentEncoding"] == "x-own"
    assert got["ResponseMetadata"]["HTTPHeaders"]["x-content-type-options"] == "nosniff"
    assert "sandbox" in got["ResponseMetadata"]["HTTPHeaders"]["content-security-policy"]
    head = boto.head_object(Bucket=BUCKET, Key="a/b.txt")
    assert (head["ContentLength"], head["ETag"]) == (5, put["ETag"])
    assert abs(head["LastModified"] - datetime.now(UTC)) < timedelta(minutes=1)
    boto.delete_object(Bucket=BUCKET, Key="a/b.txt")
    boto.delete_object(Bucket=BUCKET, Key="a/b.txt")
    with pytest.raises(ClientError) as caught:
        boto.get_object(Bucket=BUCKET, Key="a/b.txt")
    assert code(caught) == ("NoSuchKey", 404)
    assert caught.value.response["ResponseMetadata"]["RequestId"]
    with pytest.raises(ClientError) as caught:
        boto.head_object(Bucket=BUCKET, Key="a/b.txt")
    assert code(caught) == ("404", 404)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_trailing_checksums(boto, algorithm, size):
    data = os.urandom(size)
    boto.put_object(Bucket=BUCKET, Key="sum", Body=io.BytesIO(data), ChecksumAlgorithm=algorithm)
    assert boto.get_object(Bucket=BUCKET, Key="sum")["Body"].read() == data


def test_signed_payload_and_chunks_without_checksums(served):
    client = boto_client(
        served.endpoint, request_checksum_calculation="when_required", s3={"payload_signing_enabled": True}
    )
    data = os.urandom(200_000)
    client.put_object(Bucket=BUCKET, Key="plain", Body=data)
    assert client.get_object(Bucket=BUCKET, Key="plain")["Body"].read() == data
    client.close()


def test_a_wrong_checksum_stores_nothing(boto):
    with pytest.raises(ClientError) as caught:
        boto.put_object(Bucket=BUCKET, Key="bad", Body=b"hello", ChecksumCRC32="AAAAAA==")
    assert code(caught) == ("BadDigest", 400)
    with pytest.raises(ClientError) as caught:
        boto.put_object(Bucket=BUCKET, Key="bad", Body=b"hello", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    assert code(caught) == ("BadDigest", 400)
    with pytest.raises(ClientError) as caught:
        boto.put_object(Bucket=BUCKET, Key="bad", Body=b"hello", ContentMD5="nonsense")
    assert code(caught) == ("InvalidDigest", 400)
    with pytest.raises(ClientError):
        boto.head_object(Bucket=BUCKET, Key="bad")


def test_ranges(boto):
    data = os.urandom(1_000_000)
    boto.put_object(Bucket=BUCKET, Key="r", Body=data)
    got = boto.get_object(Bucket=BUCKET, Key="r", Range="bytes=10-19")
    assert (got["Body"].read(), got["ContentRange"]) == (data[10:20], "bytes 10-19/1000000")
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert boto.get_object(Bucket=BUCKET, Key="r", Range="bytes=-7")["Body"].read() == data[-7:]
    assert boto.get_object(Bucket=BUCKET, Key="r", Range="bytes=300000-")["Body"].read() == data[300_000:]
    assert boto.get_object(Bucket=BUCKET, Key="r", Range="nonsense")["Body"].read() == data
    assert boto.head_object(Bucket=BUCKET, Key="r", Range="bytes=0-9")["ContentLength"] == 10
    with pytest.raises(ClientError) as caught:
        boto.get_object(Bucket=BUCKET, Key="r", Range="bytes=1000000-")
    assert code(caught) == ("InvalidRange", 416)


def test_conditions(boto):
    etag = boto.put_object(Bucket=BUCKET, Key="c", Body=b"1")["ETag"]
    old, future = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)
    assert boto.get_object(Bucket=BUCKET, Key="c", IfMatch=etag)["Body"].read() == b"1"
    assert boto.get_object(Bucket=BUCKET, Key="c", IfModifiedSince=old)["Body"].read() == b"1"
    for refused, status in (
        ({"IfMatch": '"other"'}, 412), ({"IfUnmodifiedSince": old}, 412), ({"IfNoneMatch": etag}, 304),
        ({"IfModifiedSince": future}, 304),
    ):  # fmt: skip
        for read in (boto.get_object, boto.head_object):
            with pytest.raises(ClientError) as caught:
                read(Bucket=BUCKET, Key="c", **refused)
            assert code(caught)[1] == status
    with pytest.raises(ClientError) as caught:
        boto.put_object(Bucket=BUCKET, Key="c", Body=b"2", IfNoneMatch="*")
    assert code(caught) == ("PreconditionFailed", 412)
    assert boto.get_object(Bucket=BUCKET, Key="c")["Body"].read() == b"1"


def test_writes_over_what_was_seen(boto):
    """If-Match on PUT, on copies and when an upload is completed; places of committed bytes stay as they are."""
    place = {"Bucket": BUCKET, "Key": "matched"}
    seen = boto.put_object(**place, Body=b"1")["ETag"]

    def refused(want, call, **arguments):
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        assert code(caught) == want

    failed, absent = ("PreconditionFailed", 412), ("NoSuchKey", 404)
    refused(failed, boto.put_object, **place, Body=b"2", IfMatch='"other"')
    refused(absent, boto.put_object, Bucket=BUCKET, Key="nothing", Body=b"2", IfMatch="*")
    refused(("NotImplemented", 501), boto.put_object, **place, Body=b"2", IfMatch=seen, IfNoneMatch="*")
    newer = boto.put_object(**place, Body=b"2", IfMatch=seen)["ETag"]
    refused(failed, boto.put_object, **place, Body=b"3", IfMatch=seen)
    upload = boto.create_multipart_upload(**place)["UploadId"]
    tag = boto.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"parts")["ETag"]
    named = {**place, "UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}}
    refused(failed, boto.complete_multipart_upload, **named, IfMatch=seen)
    assert boto.get_object(**place)["Body"].read() == b"2"
    boto.complete_multipart_upload(**named, IfMatch=newer)
    assert boto.get_object(**place)["Body"].read() == b"parts"
    once = {"Bucket": BUCKET, "Key": "repo/data/matched"}
    kept = boto.put_object(**once, Body=b"1")["ETag"]
    refused(failed, boto.put_object, **once, Body=b"2", IfMatch=kept)
    refused(failed, boto.put_object, **once, Body=b"1", IfMatch=seen.replace(seen[1], "x"))
    boto.put_object(**once, Body=b"1", IfMatch=kept)
    refused(absent, boto.put_object, Bucket=BUCKET, Key="repo/data/nothing", Body=b"2", IfMatch="*")
    assert boto.get_object(**once)["Body"].read() == b"1"


@pytest.mark.parametrize("key", ODD)
def test_odd_keys(boto, key):
    boto.put_object(Bucket="two.local", Key=key, Body=key.encode())
    assert boto.get_object(Bucket="two.local", Key=key)["Body"].read() == key.encode()
    assert [line["Key"] for line in boto.list_objects_v2(Bucket="two.local")["Contents"]] == [key]
    assert [line["Key"] for line in boto.list_objects(Bucket="two.local", Prefix=key[:1])["Contents"]] == [key]
    deleted = boto.delete_objects(Bucket="two.local", Delete={"Objects": [{"Key": key}]}) if key.isprintable() else None
    if deleted is None:
        boto.delete_object(Bucket="two.local", Key=key)
    assert boto.list_objects_v2(Bucket="two.local")["KeyCount"] == 0


def test_keys_that_cannot_be(boto):
    for key, want in (("k" * 1025, "KeyTooLongError"), ("nul\x00", "InvalidURI")):
        with pytest.raises(ClientError) as caught:
            boto.put_object(Bucket=BUCKET, Key=key, Body=b"")
        assert code(caught) == (want, 400)


@pytest.fixture(scope="module")
def tree(boto):
    keys = ["l/a", "l/b/1", "l/b/2", "l/b/3", "l/c", "l/d/1", "l/d/2/3", "l/e", "l/ü x/1"]
    for key in keys:
        boto.put_object(Bucket=BUCKET, Key=key, Body=b"")
    return keys


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("form", ["list_objects", "list_objects_v2"])
def test_listing_with_a_delimiter_in_pages(boto, tree, form, size):
    seen = []
    for page in boto.get_paginator(form).paginate(
        Bucket=BUCKET, Prefix="l/", Delimiter="/", PaginationConfig={"PageSize": size}
    ):
        found = [line["Key"] for line in page.get("Contents", [])]
        found += [line["Prefix"] for line in page.get("CommonPrefixes", [])]
        assert len(found) <= size
        seen += found
    assert sorted(seen) == ["l/a", "l/b/", "l/c", "l/d/", "l/e", "l/ü x/"]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("form", ["list_objects", "list_objects_v2"])
def test_listing_of_everything_in_pages(boto, tree, form):
    pages = boto.get_paginator(form).paginate(Bucket=BUCKET, Prefix="l/", PaginationConfig={"PageSize": 2})
    assert [line["Key"] for page in pages for line in page.get("Contents", [])] == tree


def test_listing_passes_over_large_groups(boto):
    for number in range(150):
        boto.put_object(Bucket="two.local", Key=f"g/{number % 2}/{number:03}", Body=b"")
    boto.put_object(Bucket="two.local", Key="g/z", Body=b"")
    found = boto.list_objects_v2(Bucket="two.local", Prefix="g/", Delimiter="/")
    assert [line["Prefix"] for line in found["CommonPrefixes"]] == ["g/0/", "g/1/"]
    assert [line["Key"] for line in found["Contents"]] == ["g/z"]
    keys = [line["Key"] for line in boto.list_objects_v2(Bucket="two.local")["Contents"]]
    assert "Errors" not in boto.delete_objects(Bucket="two.local", Delete={"Objects": [{"Key": key} for key in keys]})
    assert boto.list_objects_v2(Bucket="two.local")["KeyCount"] == 0


def test_listing_parameters(boto, tree):
    assert boto.list_objects_v2(Bucket=BUCKET, Prefix="l/", MaxKeys=0)["KeyCount"] == 0
    found = boto.list_objects_v2(Bucket=BUCKET, Prefix="l/", StartAfter="l/d/1", FetchOwner=True)["Contents"]
    assert [line["Key"] for line in found] == ["l/d/2/3", "l/e", "l/ü x/1"]
    assert found[0]["Owner"]["ID"]
    with pytest.raises(ClientError) as caught:
        boto.list_objects_v2(Bucket=BUCKET, ContinuationToken="no token!")
    assert code(caught) == ("InvalidArgument", 400)


def test_delete_objects_tells_what_it_did(boto):
    boto.put_object(Bucket=BUCKET, Key="d1", Body=b"")
    asked = {"Objects": [{"Key": "d1"}, {"Key": "never"}, {"Key": "k" * 1025}]}
    told = boto.delete_objects(Bucket=BUCKET, Delete=asked)
    assert sorted(line["Key"] for line in told["Deleted"]) == ["d1", "never"]
    assert [line["Code"] for line in told["Errors"]] == ["InvalidURI"]
    quiet = boto.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "d1"}], "Quiet": True})
    assert "Deleted" not in quiet
    with pytest.raises(ClientError) as caught:
        boto.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": str(n)} for n in range(1001)]})
    assert code(caught) == ("MalformedXML", 400)


def test_copy(boto):
    boto.put_object(Bucket=BUCKET, Key="from ü+", Body=b"x" * 400_000, ContentType="a/b", Metadata={"k": "v"})
    copied = boto.copy_object(Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "from ü+"})
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(b"x" * 400_000).hexdigest()}"'
    head = boto.head_object(Bucket=BUCKET, Key="to")
    assert (head["ContentType"], head["Metadata"]) == ("a/b", {"k": "v"})
    boto.copy_object(Bucket=BUCKET, Key="to", CopySource=f"{BUCKET}/to", MetadataDirective="REPLACE", ContentType="c/d")
    head = boto.head_object(Bucket=BUCKET, Key="to")
    assert (head["ContentType"], head["Metadata"], head["ContentLength"]) == ("c/d", {}, 400_000)
    with pytest.raises(ClientError) as caught:
        boto.copy_object(Bucket=BUCKET, Key="to", CopySource=f"{BUCKET}/absent")
    assert code(caught) == ("NoSuchKey", 404)


def test_buckets(boto):
    assert [line["Name"] for line in boto.list_buckets()["Buckets"]] == [BUCKET, "two.local"]
    boto.head_bucket(Bucket=BUCKET)
    assert boto.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] is None
    assert "Status" not in boto.get_bucket_versioning(Bucket=BUCKET)
    for call, want in (
        (lambda: boto.list_objects_v2(Bucket="norepo"), ("NoSuchBucket", 404)),
        (lambda: boto.list_objects_v2(Bucket="no.such"), ("NoSuchBucket", 404)),
        (lambda: boto.create_bucket(Bucket=BUCKET), ("BucketAlreadyExists", 409)),
        (lambda: boto.get_bucket_acl(Bucket=BUCKET), ("NotImplemented", 501)),
        (lambda: boto.get_object_tagging(Bucket=BUCKET, Key="x"), ("NotImplemented", 501)),
        (lambda: boto.delete_bucket(Bucket=BUCKET), ("NotImplemented", 501)),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code(caught) == want


def test_who_may(served, boto):
    boto.put_object(Bucket=BUCKET, Key="private", Body=b"1")
    bob = boto_client(served.endpoint, OTHER_KEY, OTHER_SECRET)
    for call in (
        lambda: bob.get_object(Bucket=BUCKET, Key="private"),
        lambda: bob.put_object(Bucket=BUCKET, Key="private", Body=b"2"),
        lambda: bob.list_objects_v2(Bucket=BUCKET),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code(caught) == ("AccessDenied", 403)
    assert bob.list_buckets()["Buckets"] == []
    bob.close()
    for key, secret, want in ((OTHER_KEY, "wrong", "SignatureDoesNotMatch"), ("AKIANOBODY", "x", "AccessDenied")):
        client = boto_client(served.endpoint, key, secret)
        with pytest.raises(ClientError) as caught:
            client.list_buckets()
        assert code(caught) == (want, 403)
        client.close()


def test_write_once_places(boto):
    first = boto.put_object(Bucket=BUCKET, Key="repo/data/x", Body=b"1")
    assert boto.put_object(Bucket=BUCKET, Key="repo/data/x", Body=b"1")["ETag"] == first["ETag"]
    boto.put_object(Bucket=BUCKET, Key="elsewhere", Body=b"2")
    for call in (
        lambda: boto.put_object(Bucket=BUCKET, Key="repo/data/x", Body=b"2"),
        lambda: boto.copy_object(Bucket=BUCKET, Key="repo/data/x", CopySource=f"{BUCKET}/elsewhere"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code(caught) == ("PreconditionFailed", 412)
    assert boto.get_object(Bucket=BUCKET, Key="repo/data/x")["Body"].read() == b"1"


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "TEXT/XML; charset=x"])
def test_what_a_browser_would_run_is_an_attachment(boto, kind):
    boto.put_object(Bucket=BUCKET, Key="evil", Body=b"<script>", ContentType=kind)
    got = boto.get_object(Bucket=BUCKET, Key="evil")
    assert got["ContentDisposition"] == "attachment"
    boto.put_object(Bucket=BUCKET, Key="evil", Body=b"<script>", ContentType="text/plain")
    got = boto.get_object(
        Bucket=BUCKET, Key="evil", ResponseContentType=kind, ResponseContentDisposition='inline; filename="x.html"'
    )
    assert got["ContentDisposition"] == 'attachment; filename="x.html"'
    assert got["ContentType"] == kind


def test_a_file_in_parts(boto, tmp_path):
    data = os.urandom(20_000_000)
    (tmp_path / "f").write_bytes(data)
    boto.upload_file(str(tmp_path / "f"), BUCKET, "big/file", ExtraArgs={"ContentType": "a/b", "Metadata": {"k": "v"}})
    head = boto.head_object(Bucket=BUCKET, Key="big/file")
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (20_000_000, "a/b", {"k": "v"})
    assert head["ETag"].endswith('-3"')
    boto.download_file(BUCKET, "big/file", str(tmp_path / "g"))
    assert (tmp_path / "g").read_bytes() == data
    assert "Uploads" not in boto.list_multipart_uploads(Bucket=BUCKET)


def test_an_upload_step_by_step(boto):
    place = {"Bucket": BUCKET, "Key": "steps/ü x"}
    upload = boto.create_multipart_upload(**place)["UploadId"]
    first = boto.upload_part(**place, UploadId=upload, PartNumber=2, Body=b"tail")
    boto.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"replaced")
    big = os.urandom(5 * 1024 * 1024)
    second = boto.upload_part(**place, UploadId=upload, PartNumber=1, Body=big)
    listed = boto.list_parts(**place, UploadId=upload, MaxParts=1)
    assert ([part["PartNumber"] for part in listed["Parts"]], listed["IsTruncated"]) == ([1], True)
    uploads = boto.list_multipart_uploads(Bucket=BUCKET, Prefix="steps/")["Uploads"]
    assert [(found["Key"], found["UploadId"]) for found in uploads] == [("steps/ü x", upload)]
    one, two = ({"PartNumber": 1, "ETag": second["ETag"]}, {"PartNumber": 2, "ETag": first["ETag"]})
    small = {"PartNumber": 3, "ETag": boto.upload_part(**place, UploadId=upload, PartNumber=3, Body=b"")["ETag"]}
    for parts, want in (
        ([two, one], "InvalidPartOrder"), ([one, {"PartNumber": 9, "ETag": "x"}], "InvalidPart"),
        ([one, {"PartNumber": 2, "ETag": second["ETag"]}], "InvalidPart"), ([one, two, small], "EntityTooSmall"),
    ):  # fmt: skip
        with pytest.raises(ClientError) as caught:
            boto.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
        assert code(caught) == (want, 400)
    with pytest.raises(ClientError):
        boto.head_object(**place)
    done = boto.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": [one, two]})
    digests = hashlib.md5(big).digest() + hashlib.md5(b"tail").digest()
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    assert boto.get_object(**place)["Body"].read() == big + b"tail"
    for call in (
        lambda: boto.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": [one]}),
        lambda: boto.abort_multipart_upload(**place, UploadId=upload),
        lambda: boto.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"x"),
        lambda: boto.list_parts(**place, UploadId="nonsense"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code(caught) == ("NoSuchUpload", 404)


def test_a_part_copied_and_an_upload_given_up(boto):
    boto.put_object(Bucket=BUCKET, Key="origin", Body=b"0123456789")
    place = {"Bucket": BUCKET, "Key": "assembled"}
    upload = boto.create_multipart_upload(**place)["UploadId"]
    source = {"Bucket": BUCKET, "Key": "origin"}
    part = boto.upload_part_copy(**place, UploadId=upload, PartNumber=1, CopySource=source, CopySourceRange="bytes=2-5")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
    boto.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)
    assert boto.get_object(**place)["Body"].read() == b"2345"
    upload = boto.create_multipart_upload(**place)["UploadId"]
    boto.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"x")
    with pytest.raises(ClientError) as caught:
        boto.upload_part(**place, UploadId=upload, PartNumber=10_001, Body=b"x")
    assert code(caught) == ("InvalidArgument", 400)
    boto.abort_multipart_upload(**place, UploadId=upload)
    assert boto.get_object(**place)["Body"].read() == b"2345"

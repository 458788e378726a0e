# SPDX-License-Identifier: Apache-2.0
"""Plain repositories: keys without a branch, which mean the default branch, in every operation."""

from __future__ import annotations

import httpx2
import pytest
from botocore.exceptions import ClientError

from tests.s3.conftest import boto_client
from tests.s3.lake import KEY, SECRET, served_lake
from tests.s3.test_boto3 import code

PART = 5 * 2**20
PLAIN = {"lakehouse.plain": "true"}


@pytest.fixture
def plain(lake):
    return lake.repository(metadata=PLAIN, default_branch="trunk")


def keys(answer, field="Contents") -> list[str]:
    return [line["Prefix" if field == "CommonPrefixes" else "Key"] for line in answer.get(field, [])]


def refused(want, call, **arguments) -> None:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert code(caught) == want


def test_an_object_is_on_the_default_branch(lake, s3, plain):
    s3.put_object(Bucket=plain, Key="dir/a.txt", Body=b"hello", Metadata={"a": "b"}, Tagging="t=1")
    assert lake.stat(plain, "trunk", "dir/a.txt")["size_bytes"] == 5
    got = s3.get_object(Bucket=plain, Key="dir/a.txt", Range="bytes=1-2")
    assert (got["Body"].read(), got["Metadata"]) == (b"el", {"a": "b"})
    assert s3.head_object(Bucket=plain, Key="dir/a.txt")["ContentLength"] == 5
    assert s3.get_object_tagging(Bucket=plain, Key="dir/a.txt")["TagSet"] == [{"Key": "t", "Value": "1"}]
    refused(("404", 404), s3.head_object, Bucket=plain, Key="trunk/dir/a.txt")
    s3.put_object(Bucket=plain, Key="single", Body=b"1")
    s3.put_object(Bucket=plain, Key="trunk/x", Body=b"2")
    assert lake.stat(plain, "trunk", "trunk/x")["size_bytes"] == 1
    s3.put_object(Bucket=plain, Key="folder/", Body=b"")
    assert s3.head_object(Bucket=plain, Key="folder/")["ContentLength"] == 0
    s3.delete_object(Bucket=plain, Key="single")
    refused(("404", 404), s3.head_object, Bucket=plain, Key="single")
    refused(("NoSuchKey", 404), s3.get_object, Bucket=plain, Key="single")


def test_lists(s3, plain):
    for key in ("a", "b/1", "b/2", "c/d/3", "trunk/e"):
        s3.put_object(Bucket=plain, Key=key, Body=b"1")
    everything = ["a", "b/1", "b/2", "c/d/3", "trunk/e"]
    assert keys(s3.list_objects_v2(Bucket=plain)) == everything
    assert keys(s3.list_objects(Bucket=plain)) == everything
    assert keys(s3.list_objects_v2(Bucket=plain, Prefix="b")) == ["b/1", "b/2"]
    assert keys(s3.list_objects_v2(Bucket=plain, StartAfter="b/1")) == everything[2:]
    assert keys(s3.list_objects(Bucket=plain, Marker="b/1", Prefix="b/")) == ["b/2"]
    assert keys(s3.list_objects(Bucket=plain, Marker="a", Prefix="b/")) == ["b/1", "b/2"]
    found = s3.list_objects_v2(Bucket=plain, Delimiter="/")
    assert (keys(found), keys(found, "CommonPrefixes")) == (["a"], ["b/", "c/", "trunk/"])
    for name in ("list_objects_v2", "list_objects"):
        for delimiter, size in (("/", 1), ("", 2)):
            pages = s3.get_paginator(name).paginate(
                Bucket=plain, Delimiter=delimiter, PaginationConfig={"PageSize": size}
            )
            seen = [key for page in pages for key in keys(page) + keys(page, "CommonPrefixes")]
            assert seen == (["a", "b/", "c/", "trunk/"] if delimiter else everything)


def test_versions_are_commits_of_the_default_branch(lake, s3, plain):
    s3.put_object(Bucket=plain, Key="x/y", Body=b"1")
    first = lake.commit(plain, "trunk")
    s3.put_object(Bucket=plain, Key="x/y", Body=b"22")
    found = s3.list_object_versions(Bucket=plain)["Versions"]
    assert [(one["Key"], one["VersionId"], one["Size"]) for one in found] == [("x/y", "null", 2), ("x/y", first, 1)]
    page = s3.list_object_versions(Bucket=plain, MaxKeys=1)
    more = s3.list_object_versions(
        Bucket=plain, KeyMarker=page["NextKeyMarker"], VersionIdMarker=page["NextVersionIdMarker"]
    )
    assert [one["VersionId"] for one in more["Versions"]] == [first]
    assert keys(s3.list_object_versions(Bucket=plain, Delimiter="/"), "CommonPrefixes") == ["x/"]
    assert s3.get_object(Bucket=plain, Key="x/y", VersionId=first)["Body"].read() == b"1"


def test_parts(lake, s3, plain):
    place = {"Bucket": plain, "Key": "big"}
    upload = s3.create_multipart_upload(**place)["UploadId"]
    other = s3.create_multipart_upload(Bucket=plain, Key="trunk/big")["UploadId"]
    s3.put_object(Bucket=plain, Key="source", Body=b"0123456789")
    found = s3.list_multipart_uploads(Bucket=plain)["Uploads"]
    assert [(one["Key"], one["UploadId"]) for one in found] == [("big", upload), ("trunk/big", other)]
    found = s3.list_multipart_uploads(Bucket=plain, Prefix="trunk/")["Uploads"]
    assert [one["Key"] for one in found] == ["trunk/big"]
    page = s3.list_multipart_uploads(Bucket=plain, MaxUploads=1)
    more = s3.list_multipart_uploads(
        Bucket=plain, KeyMarker=page["NextKeyMarker"], UploadIdMarker=page["NextUploadIdMarker"]
    )
    assert [one["Key"] for one in more["Uploads"]] == ["trunk/big"]
    tags = [s3.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"x" * PART)["ETag"]]
    copied = s3.upload_part_copy(
        **place, UploadId=upload, PartNumber=2, CopySource=f"{plain}/source", CopySourceRange="bytes=2-4"
    )
    tags.append(copied["CopyPartResult"]["ETag"])
    assert [part["PartNumber"] for part in s3.list_parts(**place, UploadId=upload)["Parts"]] == [1, 2]
    parts = {"Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]}
    wrong = {"Bucket": plain, "Key": "big", "UploadId": other}
    refused(("NoSuchUpload", 404), s3.list_parts, **wrong)
    refused(("NoSuchUpload", 404), s3.abort_multipart_upload, **wrong)
    s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)
    assert lake.stat(plain, "trunk", "big")["size_bytes"] == PART + 3
    assert s3.get_object(**place, Range=f"bytes={PART}-")["Body"].read() == b"234"
    s3.abort_multipart_upload(Bucket=plain, Key="trunk/big", UploadId=other)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=plain)


def test_copies_between_both_kinds(lake, s3, plain):
    common = lake.repository()
    s3.put_object(Bucket=plain, Key="a/b", Body=b"1", Metadata={"k": "v"})
    s3.copy_object(Bucket=common, Key="main/copied", CopySource=f"{plain}/a/b")
    s3.copy_object(Bucket=plain, Key="back", CopySource=f"{common}/main/copied")
    got = s3.get_object(Bucket=plain, Key="back")
    assert (got["Body"].read(), got["Metadata"]) == (b"1", {"k": "v"})
    refused(("NoSuchKey", 404), s3.copy_object, Bucket=plain, Key="c", CopySource=f"{plain}/trunk/a/b")
    refused(("InvalidArgument", 400), s3.copy_object, Bucket=plain, Key="c", CopySource=f"{common}/main")


def test_deletes_of_many(s3, plain):
    for key in ("a", "b/1", "trunk/c"):
        s3.put_object(Bucket=plain, Key=key, Body=b"1")
    names = [{"Key": key} for key in ("a", "trunk/c", "absent", "x" * 1025)]
    found = s3.delete_objects(Bucket=plain, Delete={"Objects": names})
    assert keys(found, "Deleted") == ["a", "trunk/c", "absent"]
    assert [(one["Key"], one["Code"]) for one in found["Errors"]] == [("x" * 1025, "KeyTooLongError")]
    assert keys(s3.list_objects_v2(Bucket=plain)) == ["b/1"]


def test_presigned_and_conditions(s3, plain):
    place = {"Bucket": plain, "Key": "p q/ü"}
    with httpx2.Client(trust_env=False) as http:
        assert http.put(s3.generate_presigned_url("put_object", Params=place), content=b"1").status_code == 200
        assert http.get(s3.generate_presigned_url("get_object", Params=place)).content == b"1"
    refused(("PreconditionFailed", 412), s3.put_object, **place, Body=b"2", IfNoneMatch="*")
    longest = "y" * 1024
    s3.put_object(Bucket=plain, Key=longest, Body=b"1")
    assert s3.head_object(Bucket=plain, Key=longest)["ContentLength"] == 1


def test_branches_are_there_for_others(lake, s3, plain):
    """The history is that of any repository, and what is merged shows."""
    s3.put_object(Bucket=plain, Key="x", Body=b"1")
    lake.commit(plain, "trunk")
    lake.branch(plain, "dev", "trunk")
    answer = lake.rest.post(f"/repositories/{plain}/branches/dev/objects", params={"path": "y"}, content=b"2")
    assert answer.status_code == 201
    assert keys(s3.list_objects_v2(Bucket=plain)) == ["x"]
    lake.commit(plain, "dev")
    lake.post(f"/repositories/{plain}/refs/dev/merge/trunk", {})
    assert keys(s3.list_objects_v2(Bucket=plain)) == ["x", "y"]


def test_the_mark_is_ordinary_metadata(lake, s3):
    repo = lake.repository()
    s3.put_object(Bucket=repo, Key="main/x", Body=b"1")
    lake.post(f"/repositories/{repo}/metadata", {"metadata": PLAIN})
    assert keys(s3.list_objects_v2(Bucket=repo)) == ["x"]
    assert lake.rest.get(f"/repositories/{repo}/metadata").json() == PLAIN
    bad = lake.rest.post(f"/repositories/{repo}/metadata", json={"metadata": {"lakehouse.plain": "yes"}})
    assert (bad.status_code, "write true or false" in bad.text) == (400, True)
    bad = lake.rest.post("/repositories", json={"name": "not-made", "metadata": {"lakehouse.public-read": "1"}})
    assert bad.status_code == 400
    assert lake.rest.get("/repositories/not-made").status_code == 404
    lake.rest.request("DELETE", f"/repositories/{repo}/metadata", json={"keys": ["lakehouse.plain"]})
    assert keys(s3.list_objects_v2(Bucket=repo, Prefix="main/")) == ["main/x"]


@pytest.mark.parametrize(("kind", "key"), [("plain", "a"), ("branches", "main/a")])
def test_buckets_can_be_made(tmp_path, kind, key):
    from lakehouse.config.model import S3

    with served_lake(tmp_path, s3=S3(create_bucket=kind)) as lake:
        s3 = boto_client(lake.endpoint, KEY, SECRET)
        s3.create_bucket(Bucket="made-here")
        s3.put_object(Bucket="made-here", Key=key, Body=b"1")
        assert lake.stat("made-here", "main", "a")["size_bytes"] == 1
        refused(("BucketAlreadyExists", 409), s3.create_bucket, Bucket="made-here")
        refused(("InvalidBucketName", 400), s3.create_bucket, Bucket="Made_Here")
        refused(("BucketAlreadyExists", 409), s3.create_bucket, Bucket="lake.local")
        lake.post("/auth/users", {"id": "nobody"})
        pair = lake.rest.post("/auth/users/nobody/credentials").json()
        other = boto_client(lake.endpoint, pair["access_key_id"], pair["secret_access_key"])
        refused(("AccessDenied", 403), other.create_bucket, Bucket="not-made")
        other.close()
        s3.close()

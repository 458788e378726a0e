# SPDX-License-Identifier: Apache-2.0
"""Repositories as buckets: found, listed, probed, refused."""

from __future__ import annotations

import httpx2
import pytest
from botocore.exceptions import ClientError

from tests.s3.conftest import boto_client
from tests.s3.lake import KEY, SECRET
from tests.s3.test_boto3 import code


@pytest.fixture(scope="module")
def repo(lake):
    return lake.repository()


def test_buckets_are_listed(lake, s3, repo):
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert repo in names
    assert "lake.local" in names
    assert names == sorted(names)
    assert [bucket["Name"] for bucket in s3.list_buckets(Prefix=repo)["Buckets"]] == [repo]


def test_what_clients_look_at_before_they_work(s3, repo):
    assert s3.head_bucket(Bucket=repo)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.get_bucket_location(Bucket=repo)["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket=repo)
    assert s3.get_bucket_acl(Bucket=repo)["Grants"][0]["Permission"] == "FULL_CONTROL"


def test_buckets_are_neither_made_nor_deleted_here(s3, repo):
    for ask, want in (
        (lambda: s3.create_bucket(Bucket=repo), ("BucketAlreadyExists", 409)),
        (lambda: s3.create_bucket(Bucket="quite-new"), ("NotImplemented", 501)),
        (lambda: s3.delete_bucket(Bucket=repo), ("ERRLakeFSNotSupported", 405)),
        (lambda: s3.get_bucket_policy(Bucket=repo), ("ERRLakeFSNotSupported", 405)),
        (lambda: s3.get_bucket_cors(Bucket=repo), ("ERRLakeFSNotSupported", 405)),
        (lambda: s3.get_object_acl(Bucket=repo, Key="main/x"), ("ERRLakeFSNotSupported", 405)),
        (lambda: s3.get_object_retention(Bucket=repo, Key="main/x"), ("ERRLakeFSNotSupported", 405)),
    ):
        with pytest.raises(ClientError) as caught:
            ask()
        assert code(caught) == want


def test_unknown_repositories(s3):
    for ask in (
        lambda: s3.list_objects_v2(Bucket="not-there"),
        lambda: s3.get_object(Bucket="not-there", Key="main/x"),
        lambda: s3.put_object(Bucket="not-there", Key="main/x", Body=b"1"),
        lambda: s3.delete_object(Bucket="not-there", Key="main/x"),
        lambda: s3.get_bucket_location(Bucket="not-there"),
    ):
        with pytest.raises(ClientError) as caught:
            ask()
        assert code(caught) == ("NoSuchBucket", 404)
        assert caught.value.response["Error"]["Message"] == "The specified bucket does not exist"


def test_an_endpoint_that_is_the_api(lake):
    client = boto_client(f"{lake.endpoint}/api/v1", KEY, SECRET)
    with pytest.raises(ClientError) as caught:
        client.list_objects_v2(Bucket="repo")
    assert code(caught) == ("ErrNoSuchBucketPossibleAPIEndpoint", 404)
    client.close()


def test_an_error_names_everything(lake, s3, repo):
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=repo, Key="main/none")
    error = caught.value.response["Error"]
    assert (error["Key"], error["BucketName"], error["Resource"]) == ("main/none", repo, f"/{repo}/main/none")
    assert error["Region"] == "us-east-1"
    assert caught.value.response["ResponseMetadata"]["RequestId"]


def test_the_second_root_of_the_s3_side(lake, repo):
    client = boto_client(f"{lake.endpoint}/s3", KEY, SECRET)
    client.put_object(Bucket=repo, Key="main/below", Body=b"x")
    assert client.get_object(Bucket=repo, Key="main/below")["Body"].read() == b"x"
    assert repo in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    client.close()
    for path in (f"/s3/{repo}/main/below", "/s3/", "/s3", f"/s3/{repo}/main/none"):
        answer = httpx2.get(lake.endpoint + path, trust_env=False)
        assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True)


def test_virtual_hosts(lake, repo):
    """The name that a bucket stands before is one of the settings; curl and browsers send it as Host."""
    client = boto_client("http://s3.local.lakefs.io", KEY, SECRET, s3={"addressing_style": "virtual"})
    url = client.generate_presigned_url("put_object", Params={"Bucket": repo, "Key": "main/v h"})
    assert url.startswith(f"http://{repo}.s3.local.lakefs.io/main/v%20h?")
    host = f"{repo}.s3.local.lakefs.io"
    put = httpx2.put(
        url.replace(f"http://{host}", lake.endpoint), content=b"v", headers={"host": host}, trust_env=False
    )
    assert put.status_code == 200, put.text
    url = client.generate_presigned_url("get_object", Params={"Bucket": repo, "Key": "main/v h"})
    got = httpx2.get(url.replace(f"http://{host}", lake.endpoint), headers={"host": host}, trust_env=False)
    assert (got.status_code, got.content) == (200, b"v")
    unsigned = httpx2.get(f"{lake.endpoint}/main/v", headers={"host": host}, trust_env=False)
    assert (unsigned.status_code, "<Code>MissingFields</Code>" in unsigned.text) == (400, True)
    client.close()


def test_a_redirection_to_the_store_for_clients_that_follow_it(lake, s3, repo):
    s3.put_object(Bucket=repo, Key="main/far", Body=b"far away")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": repo, "Key": "main/far"})
    answer = httpx2.get(url, headers={"user-agent": "x s3RedirectionSupport/1"}, trust_env=False)
    assert answer.status_code == 307
    assert "/lake.local/" in answer.headers["location"]
    assert httpx2.get(answer.headers["location"], trust_env=False).content == b"far away"

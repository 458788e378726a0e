# SPDX-License-Identifier: Apache-2.0
"""Keys that are narrowed to some buckets, short-lived and lasting, as foreign clients send them."""

from __future__ import annotations

import itertools
import time

import httpx2
import pytest

from lakehouse.auth import scoped_keys, scopes, sessions
from tests.s3.test_sessions import client_of, refused

PLAIN = {"lakehouse.plain": "true"}


@pytest.fixture(scope="module")
def services(lake):
    return lake.application._api._context


@pytest.fixture(scope="module")
def buckets(lake):
    return [lake.repository(metadata=PLAIN) for _ in range(3)]


@pytest.fixture
def session(lake, services):
    """Makes short-lived keys of the administrator for one bucket; clients close with the test."""
    clients = []

    def make(bucket: str, *, read_only: bool = False, seconds: int = 3600):
        user = lake.run(services.directory.user("admin"))
        made = sessions.create(
            services.ring, user, now=time.time(), seconds=seconds,
            policy=scopes.on_buckets([bucket], read_only=read_only),
        )  # fmt: skip
        pair = made.credentials
        clients.append(client_of(lake.endpoint + "/s3", pair.access_key_id, pair.secret_access_key, made.token))
        return clients[-1]

    yield make
    lake.offset[0] = 0.0
    for client in clients:
        client.close()


def everything(s3, bucket: str):
    """Calls that S3 clients of one bucket make: those that answer without a body, that read, and that write."""
    place = {"Bucket": bucket, "Key": "dir/x"}
    heads = [(s3.head_bucket, {"Bucket": bucket}), (s3.head_object, place)]
    reads = [
        (s3.list_objects_v2, {"Bucket": bucket}),
        (s3.list_object_versions, {"Bucket": bucket}),
        (s3.get_object, place),
        (s3.get_object_tagging, place),
    ]
    writes = [
        (s3.put_object, {**place, "Body": b"1"}),
        (s3.create_multipart_upload, place),
        (s3.put_object_tagging, {**place, "Tagging": {"TagSet": []}}),
        (s3.delete_object, {"Bucket": bucket, "Key": "absent"}),
    ]
    return heads, reads, writes


def test_one_bucket_for_a_while(lake, s3, buckets, session):
    mine, other, _ = buckets
    for bucket in buckets:
        s3.put_object(Bucket=bucket, Key="dir/x", Body=b"1")
    client = session(mine)
    heads, reads, writes = everything(client, mine)
    for call, arguments in heads + reads + writes:
        assert call(**arguments)["ResponseMetadata"]["HTTPStatusCode"] < 300
    heads, reads, writes = everything(client, other)
    for call, arguments in heads:
        refused("403", call, **arguments)
    for call, arguments in reads + writes:
        refused("AccessDenied", call, **arguments)
    for bucket in ("lake.local", "no-such-bucket"):
        refused("AccessDenied", client.list_objects_v2, Bucket=bucket)
        refused("AccessDenied", client.put_object, Bucket=bucket, Key="x", Body=b"1")
    refused("AccessDenied", client.create_bucket, Bucket="new-bucket")
    refused("AccessDenied", client.copy_object, Bucket=mine, Key="stolen", CopySource=f"{other}/dir/x")
    gone = client.delete_objects(Bucket=other, Delete={"Objects": [{"Key": "dir/x"}]})
    assert [one["Code"] for one in gone["Errors"]] == ["AccessDenied"]
    assert [one["Name"] for one in client.list_buckets()["Buckets"]] == [mine]


def test_reading_only(s3, buckets, session):
    mine = buckets[0]
    s3.put_object(Bucket=mine, Key="dir/x", Body=b"1")
    client = session(mine, read_only=True)
    heads, reads, writes = everything(client, mine)
    for call, arguments in heads + reads:
        assert call(**arguments)["ResponseMetadata"]["HTTPStatusCode"] == 200
    for call, arguments in writes:
        refused("AccessDenied", call, **arguments)


def test_urls_that_a_session_signs(lake, s3, buckets, session):
    mine = buckets[0]
    s3.put_object(Bucket=mine, Key="dir/x", Body=b"1")
    client = session(mine, seconds=60)
    url = client.generate_presigned_url("get_object", Params={"Bucket": mine, "Key": "dir/x"}, ExpiresIn=3600)
    with httpx2.Client(trust_env=False) as http:
        assert http.get(url).content == b"1"
        for changed, code in (
            (url.replace("X-Amz-Security-Token=", "X-Amz-Security-Token=x"), "InvalidToken"),
            (url.replace("dir/x", "dir/y"), "SignatureDoesNotMatch"),
        ):
            assert f"<Code>{code}</Code>" in http.get(changed).text
        lake.offset[0] = 61.0
        late = http.get(url)
    assert (late.status_code, "<Code>ExpiredToken</Code>" in late.text) == (400, True)
    refused("ExpiredToken", client.list_objects_v2, Bucket=mine)


def test_a_lasting_key_of_two_buckets(lake, s3, services, buckets):
    directory = services.directory
    user = lake.run(directory.user("admin"))
    made = lake.run(scoped_keys.create(directory, user, buckets[:2], read_only=False))
    for bucket in buckets:
        s3.put_object(Bucket=bucket, Key="dir/x", Body=b"1")
    client = client_of(lake.endpoint + "/s3", made.access_key_id, made.secret_access_key)
    for bucket in buckets[:2]:
        for call, arguments in itertools.chain(*everything(client, bucket)):
            assert call(**arguments)["ResponseMetadata"]["HTTPStatusCode"] < 300
    refused("AccessDenied", client.get_object, Bucket=buckets[2], Key="dir/x")
    lake.run(scoped_keys.renew(directory, user, made.access_key_id, buckets[1:2], read_only=True))
    refused("AccessDenied", client.get_object, Bucket=buckets[0], Key="dir/x")
    refused("AccessDenied", client.put_object, Bucket=buckets[1], Key="dir/x", Body=b"2")
    assert client.get_object(Bucket=buckets[1], Key="dir/x")["Body"].read() == b"1"
    auth = (made.access_key_id, made.secret_access_key)
    with httpx2.Client(base_url=f"{lake.endpoint}/api/v1", auth=auth, trust_env=False) as rest:
        body = {"access_key_id": auth[0], "secret_access_key": auth[1]}
        assert rest.post("/auth/login", json=body).status_code == 401
        assert rest.post("/auth/users/admin/credentials").status_code == 401
        assert rest.post("/auth/sessions", json={}).status_code in (401, 403)
        assert rest.get(f"/repositories/{buckets[1]}/branches/main").status_code == 200
        assert rest.get(f"/repositories/{buckets[0]}/branches/main").status_code == 401
        assert rest.post(f"/repositories/{buckets[1]}/branches/main/commits", json={"message": "m"}).status_code == 401
    lake.run(scoped_keys.revoke(directory, user, made.access_key_id))
    refused("AccessDenied", client.get_object, Bucket=buckets[1], Key="dir/x")
    client.close()

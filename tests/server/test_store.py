# SPDX-License-Identifier: Apache-2.0
"""`lakehouse store`: any bucket, several key pairs, parts, restarts and kills, with boto3."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import urllib.error
import urllib.request

import boto3
import msgspec
import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from lakehouse.config.model import Config, Secret, StoreServer
from lakehouse.core.errors import BadConfiguration
from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import Location
from lakehouse.server.store import is_first_start, key_pairs
from tests.running import start_server

LEAST = 5 * 2**20
PAIRS = {"AKIAONE": "secret/of+one", "AKIATWO": "secret-of-two"}
ENVIRONMENT = {"LAKEHOUSE_STORE__KEYS": ",".join(f"{name}:{secret}" for name, secret in PAIRS.items())}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = start_server(tmp_path_factory.mktemp("store"), environment=ENVIRONMENT, command="store")
    yield server
    server.stop()


def client_of(server, key="AKIAONE", secret=None):
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=key,
        aws_secret_access_key=PAIRS.get(key, "") if secret is None else secret,
        region_name="us-east-1",
        config=BotoConfig(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, proxies={}),
    )


@pytest.fixture(scope="module")
def boto(store):
    client = client_of(store)
    yield client
    client.close()


def code_of(caught) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_any_bucket(boto):
    for bucket in ("plain", "with.dots", "b-1"):
        boto.create_bucket(Bucket=bucket)
        boto.head_bucket(Bucket=bucket)
        boto.put_object(Bucket=bucket, Key="dir/ü", Body=bucket.encode(), Metadata={"k": "v"}, ContentType="a/b")
        found = boto.get_object(Bucket=bucket, Key="dir/ü")
        assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (bucket.encode(), {"k": "v"}, "a/b")
    assert {"plain", "with.dots", "b-1"} <= {one["Name"] for one in boto.list_buckets()["Buckets"]}
    with pytest.raises(ClientError) as caught:
        boto.delete_bucket(Bucket="plain")
    assert code_of(caught) == "BucketNotEmpty"
    boto.delete_object(Bucket="plain", Key="dir/ü")
    boto.delete_bucket(Bucket="plain")
    assert "plain" not in {one["Name"] for one in boto.list_buckets()["Buckets"]}


def test_key_pairs(store, boto):
    boto.put_object(Bucket="shared", Key="k", Body=b"x")
    other = client_of(store, "AKIATWO")
    assert other.get_object(Bucket="shared", Key="k")["Body"].read() == b"x"
    for key, secret, said in (("AKIAONE", "wrong", "SignatureDoesNotMatch"), ("AKIANONE", "x", "AccessDenied")):
        stranger = client_of(store, key, secret)
        with pytest.raises(ClientError) as caught:
            stranger.get_object(Bucket="shared", Key="k")
        assert code_of(caught) == said
        stranger.close()
    other.close()
    with pytest.raises(urllib.error.HTTPError, match=r"40[03]"):
        urllib.request.urlopen(f"{store.url}/shared/k")


def test_presigned_urls(boto):
    url = boto.generate_presigned_url("put_object", Params={"Bucket": "signed", "Key": "k"})
    urllib.request.urlopen(urllib.request.Request(url, b"sent", {"content-type": ""}, method="PUT")).close()
    url = boto.generate_presigned_url("get_object", Params={"Bucket": "signed", "Key": "k"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"sent"


def test_parts(boto):
    parts = [os.urandom(LEAST), os.urandom(LEAST + 1), b"end"]
    upload = boto.create_multipart_upload(Bucket="big", Key="k")["UploadId"]
    place = {"Bucket": "big", "Key": "k", "UploadId": upload}
    done = [
        {"PartNumber": number, "ETag": boto.upload_part(**place, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    boto.complete_multipart_upload(**place, MultipartUpload={"Parts": done})
    whole = b"".join(parts)
    found = boto.get_object(Bucket="big", Key="k")
    assert found["Body"].read() == whole
    digest = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert found["ETag"] == f'"{digest}-3"'
    for start, end in ((0, 0), (LEAST - 2, LEAST + 1), (LEAST, 2 * LEAST), (2 * LEAST, len(whole) - 1)):
        ranged = boto.get_object(Bucket="big", Key="k", Range=f"bytes={start}-{end}")
        assert ranged["Body"].read() == whole[start : end + 1]
    boto.copy_object(Bucket="big", Key="copy", CopySource={"Bucket": "big", "Key": "k"})
    boto.delete_object(Bucket="big", Key="k")
    assert boto.get_object(Bucket="big", Key="copy")["Body"].read() == whole


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    first = start_server(tmp_path, environment=ENVIRONMENT, command="store")
    client = client_of(first)
    for number in range(20):
        client.put_object(Bucket="b", Key=f"k{number}", Body=b"%d" % number * 1000)
    upload = client.create_multipart_upload(Bucket="b", Key="parts")["UploadId"]
    place = {"Bucket": "b", "Key": "parts", "UploadId": upload}
    etag = client.upload_part(**place, PartNumber=1, Body=b"part")["ETag"]
    first.kill()
    client.close()
    second = start_server(tmp_path, environment=ENVIRONMENT, command="store")
    client = client_of(second)
    for number in range(20):
        assert client.get_object(Bucket="b", Key=f"k{number}")["Body"].read() == b"%d" % number * 1000
    client.complete_multipart_upload(**place, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert client.get_object(Bucket="b", Key="parts")["Body"].read() == b"part"
    client.close()
    second.stop()


def test_the_pair_that_is_made(tmp_path):
    server = start_server(tmp_path, command="store")
    environment = {**os.environ, "LAKEHOUSE_DATA": str(tmp_path)}
    shown = subprocess.run(
        [sys.executable, "-m", "lakehouse", "store", "--show-keys"],
        env=environment, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert shown in server.output
    name, _, secret = shown.partition(":")
    assert (len(name), len(secret)) == (20, 40)
    client = client_of(server, name, secret)
    client.put_object(Bucket="b", Key="k", Body=b"x")
    client.close()
    server.stop()
    again = start_server(tmp_path, command="store")
    assert secret not in again.output
    client = client_of(again, name, secret)
    assert client.get_object(Bucket="b", Key="k")["Body"].read() == b"x"
    client.close()
    again.stop()


@pytest.mark.parametrize(
    "keys", ["a", "ab:12345678", "abc:1234567", "a b c:12345678", "abc:12345678,abc:87654321", ","]
)
def test_key_pairs_that_are_none(tmp_path, keys):
    config = msgspec.structs.replace(Config(data=str(tmp_path)), store=StoreServer(keys=Secret(keys)))
    with pytest.raises(BadConfiguration, match=r"store\.keys"):
        key_pairs(config)
    assert not is_first_start(config)


@pytest.mark.anyio
async def test_uploads_that_are_abandoned(tmp_path):
    now = [1000.0]
    store = await open_local_store(tmp_path, clock=lambda: now[0])
    old = await store.uploads.create(Location("b", "old"))
    await store.uploads.put_part(Location("b", "old"), old, 1, b"x" * 1000)
    now[0] = 2000.0
    active = await store.uploads.create(Location("b", "active"))
    now[0] = 3000.0
    await store.uploads.put_part(Location("b", "active"), active, 1, b"y")
    assert await store.uploads.expire(2500.0) == 1
    assert [one.id for one in (await store.uploads.uploads("b"))[0]] == [active]
    await store.close()
    left = [path for path in tmp_path.glob("objects/*/*") if path.is_file()]
    assert len(left) == 1, "the part of the abandoned upload is gone from the disk"
    again = await open_local_store(tmp_path, clock=lambda: 9000.0, abandoned=100.0)
    while (await again.uploads.uploads("b"))[0]:
        await asyncio.sleep(0)
    await again.close()

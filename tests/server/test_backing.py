# SPDX-License-Identifier: Apache-2.0
"""`lakehouse serve` with its bytes in an S3 server: one that we did not write, and a second lakehouse."""

from __future__ import annotations

import io
import urllib.request

import boto3
import pytest
from botocore.config import Config

from lakehouse.core.errors import StagingMoved
from lakehouse.sdk import Client
from lakehouse.wire.multipart import CopyPartSource, UploadPart
from lakehouse.wire.staging import StagingLocation, StagingMetadata
from tests.running import KEY, SECRET, start_server
from tests.s3 import foreign


def backed(endpoint: str, bucket: str, key: str, secret: str) -> dict[str, str]:
    """The environment of a server whose objects are in a bucket of another one."""
    return {
        "LAKEHOUSE_OBJECT_STORE": f"s3://{bucket}",
        "LAKEHOUSE_OBJECT_STORE__ENDPOINT": endpoint,
        "LAKEHOUSE_OBJECT_STORE__ACCESS_KEY_ID": key,
        "LAKEHOUSE_OBJECT_STORE__SECRET_ACCESS_KEY": secret,
        "LAKEHOUSE_OBJECT_STORE__BUCKET": "own.local",
    }


@pytest.fixture(scope="module", params=["moto", "lakehouse", "store"])
def backing(request, tmp_path_factory):
    """Endpoint, bucket, key and secret of an S3 server."""
    if request.param == "moto":
        with foreign.moto_server("lake-bytes") as endpoint:
            yield endpoint, "lake-bytes", foreign.KEY, foreign.SECRET
        return
    alone = request.param == "store"
    server = start_server(
        tmp_path_factory.mktemp("backing"),
        command="store" if alone else "serve",
        environment={"LAKEHOUSE_STORE__KEYS": f"{KEY}:{SECRET}"},
    )
    yield server.url, "lake-bytes" if alone else "lake.local", KEY, SECRET
    server.stop()


@pytest.fixture(scope="module")
def lake(backing, tmp_path_factory):
    """A client of a server whose default store is the bucket."""
    _, bucket, *_ = backing
    server = start_server(
        tmp_path_factory.mktemp("front"), "--object-store", f"s3://{bucket}", environment=backed(*backing)
    )
    with Client(server.url, access_key_id=KEY, secret_access_key=SECRET) as client:
        yield client
    server.stop()


def bucket_client(backing):
    endpoint, _, key, secret = backing
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, proxies={}),
    )


def put(url: str, data: bytes) -> str:
    """PUT to a presigned URL; the ETag."""
    request = urllib.request.Request(url, data, {"content-type": "text/plain"}, method="PUT")
    with urllib.request.urlopen(request) as answer:
        return answer.headers["etag"]


def test_the_whole_way(backing, lake):
    """Repository, address, upload straight to the store, link, commit; and read it back in three ways."""
    endpoint, bucket, *_ = backing
    made = lake.repositories.create_repository("whole")
    assert made.storage_namespace.startswith(f"s3://{bucket}/whole/")
    location = lake.staging.get_physical_address("whole", "main", "dir/ä b.bin", presign=True)
    assert location.physical_address.startswith(made.storage_namespace)
    assert location.presigned_url.startswith(endpoint)
    etag = put(location.presigned_url, b"bytes" * 1000)
    facts = StagingMetadata(
        staging=StagingLocation(physical_address=location.physical_address, token=location.token),
        checksum=etag,
        size_bytes=5000,
    )
    lake.staging.link_physical_address("whole", "main", "dir/ä b.bin", facts)
    commit = lake.commits.commit("whole", "main", "first").id
    with pytest.raises(StagingMoved):
        lake.staging.link_physical_address("whole", "main", "dir/ä b.bin", facts)
    assert lake.objects.get_object("whole", commit, "dir/ä b.bin") == b"bytes" * 1000
    assert lake.objects.get_object("whole", "main", "dir/ä b.bin", byte_range=(5, 9)) == b"bytes"
    assert lake.objects.get_object("whole", "main", "dir/ä b.bin", presign=True) == b"bytes" * 1000
    client = bucket_client(backing)
    key = location.physical_address.removeprefix(f"s3://{bucket}/")
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"bytes" * 1000
    client.close()


def test_uploads_of_every_kind_and_a_merge(lake, tmp_path):
    lake.repositories.create_repository("merge")
    lake.branches.create_branch("merge", "side", "main")
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 80_000)  # more than two parts
    lake.staging.upload("merge", "side", "direct", b"one")
    lake.objects.upload_object("merge", "side", "through", large)
    lake.objects.upload_object("merge", "side", "empty", b"")
    lake.objects.copy_object("merge", "side", "copied", "through")
    lake.commits.commit("merge", "side", "uploads")
    lake.refs.merge_into_branch("merge", "side", "main")
    assert [one.path for one in lake.objects.each_object("merge", "main")] == ["copied", "direct", "empty", "through"]
    assert lake.objects.get_object("merge", "main", "copied") == large.read_bytes()
    assert lake.objects.get_object("merge", "main", "through", byte_range=(20_000_000, 20_000_001)) == b"\x00\x01"
    assert lake.objects.get_object("merge", "main", "empty") == b""


def test_what_the_server_tells(backing, lake):
    storage = lake.config.get_config().storage_config
    assert storage.blockstore_type == "s3"
    assert storage.blockstore_namespace_example == f"s3://{backing[1]}/my-repo/"
    assert (storage.pre_sign_support, storage.pre_sign_multipart_upload) == (True, True)


def test_an_upload_in_parts(backing, lake):
    """Part by part straight to the store; one part is copied within it."""
    lake.repositories.create_repository("parts")
    data = bytes(range(256)) * 50_000
    stats = lake.multipart.upload("parts", "main", "large", io.BytesIO(data), part_size=5 * 2**20, content_type="a/b")
    assert (stats.size_bytes, stats.content_type) == (len(data), "a/b")
    assert stats.checksum.endswith("-3")
    assert lake.objects.get_object("parts", "main", "large") == data
    begun = lake.multipart.create_presign_multipart_upload("parts", "main", "copied", parts=2)
    upload, address = begun.upload_id, begun.physical_address
    source = CopyPartSource(repository="parts", ref="main", path="large", range="bytes=0-5242879")
    one = lake.multipart.copy_part("parts", "main", "copied", upload, 1, physical_address=address, copy_source=source)
    two = UploadPart(part_number=2, etag=put(begun.presigned_urls[1], b"end"))
    lake.multipart.complete_presign_multipart_upload("parts", "main", "copied", upload, address, [one, two])
    assert lake.objects.get_object("parts", "main", "copied") == data[: 5 * 2**20] + b"end"
    empty = lake.multipart.upload("parts", "main", "empty", io.BytesIO(b""))
    assert (empty.size_bytes, lake.objects.get_object("parts", "main", "empty")) == (0, b"")


def test_an_upload_in_parts_that_fails_is_given_up(backing, lake):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            found = super().read(size)
            if not found:
                raise OSError("the disk fails")
            return found

    lake.repositories.create_repository("given-up")
    with pytest.raises(OSError, match="the disk fails"):
        lake.multipart.upload("given-up", "main", "k", Broken(b"x" * 100))
    client = bucket_client(backing)
    uploads = client.list_multipart_uploads(Bucket=backing[1]).get("Uploads", [])
    client.close()
    assert [one["Key"] for one in uploads if "given-up" in one["Key"]] == []


def test_the_storage_class(backing, lake):
    lake.repositories.create_repository("classes")
    if backing[2] != foreign.KEY:
        lake.objects.upload_object("classes", "main", "warm", b"x")
        assert lake.objects.get_underlying_properties("classes", "main", "warm").storage_class is None
        return
    client = bucket_client(backing)
    client.put_object(Bucket=backing[1], Key="cold", Body=b"x", StorageClass="STANDARD_IA")
    client.close()
    lake.objects.stage_object("classes", "main", "cold", f"s3://{backing[1]}/cold", checksum="x", size_bytes=1)
    assert lake.objects.get_underlying_properties("classes", "main", "cold").storage_class == "STANDARD_IA"

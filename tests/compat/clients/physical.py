# SPDX-License-Identifier: Apache-2.0
# environment: today
"""boto3, minio and pyarrow against the embedded object store, at the addresses that the lake hands out."""

from __future__ import annotations

import hashlib
import io
import json
import re
from urllib.parse import urlsplit

import boto3
import checks
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from botocore.config import Config
from botocore.exceptions import ClientError
from checks import ENDPOINT, KEY, SECRET, equal, fails, fresh
from minio import Minio
from minio.commonconfig import CopySource
from minio.error import S3Error

HOST = urlsplit(ENDPOINT).netloc
BUCKET = "lake.local"


def boto(secret: str = SECRET, **more: object) -> object:
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        aws_access_key_id=KEY,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **more),
    )


BOTO = boto()
MINIO = Minio(endpoint=HOST, access_key=KEY, secret_key=SECRET, secure=False, region="us-east-1")


def new_repository() -> str:
    name = fresh("physical")
    status, _, body = checks.http("POST", "/repositories", body={"name": name})
    assert status == 201, body
    return name


def location(repository: str, path: str) -> dict[str, str]:
    status, _, body = checks.http("GET", f"/repositories/{repository}/branches/main/staging/backing?path={path}")
    equal(status, 200)
    answer: dict[str, str] = json.loads(body)
    return answer


def key_of(address: str) -> str:
    assert address.startswith(f"s3://{BUCKET}/"), address
    return address[len(f"s3://{BUCKET}/") :]


def link(repository: str, path: str, place: dict[str, str], size: int, checksum: str) -> None:
    status, _, body = checks.http(
        "PUT",
        f"/repositories/{repository}/branches/main/staging/backing?path={path}",
        body={"staging": place, "checksum": checksum, "size_bytes": size},
    )
    assert status == 200, body


def read(repository: str, path: str) -> bytes:
    status, _, body = checks.http("GET", f"/repositories/{repository}/refs/main/objects?path={path}")
    equal(status, 200)
    return body


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def check_boto3_put_link_read() -> None:
    repository = new_repository()
    data = b"0123456789" * 5000
    place = location(repository, "b.bin")
    key = key_of(place["physical_address"])
    answer = BOTO.put_object(Bucket=BUCKET, Key=key, Body=data, ContentType="text/x-b", Metadata={"color": "blue"})
    equal(answer["ETag"], f'"{md5(data)}"')
    link(repository, "b.bin", place, len(data), answer["ETag"])
    equal(read(repository, "b.bin"), data)
    head = BOTO.head_object(Bucket=BUCKET, Key=key)
    equal((head["ContentLength"], head["ContentType"], head["Metadata"]), (len(data), "text/x-b", {"color": "blue"}))
    equal(BOTO.get_object(Bucket=BUCKET, Key=key)["Body"].read(), data)
    part = BOTO.get_object(Bucket=BUCKET, Key=key, Range="bytes=5-14")
    equal((part["Body"].read(), part["ContentRange"]), (data[5:15], f"bytes 5-14/{len(data)}"))


def check_boto3_reads_what_the_api_stored() -> None:
    repository = new_repository()
    _, _, body = checks.http(
        "POST", f"/repositories/{repository}/branches/main/objects?path=a", data=b"through the API"
    )
    key = key_of(json.loads(body)["physical_address"])
    equal(BOTO.get_object(Bucket=BUCKET, Key=key)["Body"].read(), b"through the API")


def check_boto3_list() -> None:
    repository = new_repository()
    keys = []
    for n in range(5):
        place = location(repository, f"f{n}")
        keys.append(key_of(place["physical_address"]))
        BOTO.put_object(Bucket=BUCKET, Key=keys[-1], Body=b"%d" % n)
    prefix = keys[0].split("/data/")[0] + "/data/"
    pages = BOTO.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=prefix, PaginationConfig={"PageSize": 2}
    )
    found = [item["Key"] for page in pages for item in page.get("Contents", [])]
    equal(found, sorted(keys))
    grouped = BOTO.list_objects_v2(Bucket=BUCKET, Prefix=f"{repository}/", Delimiter="/")
    assert [item["Prefix"] for item in grouped["CommonPrefixes"]], grouped


def check_boto3_presigned() -> None:
    repository = new_repository()
    place = location(repository, "p")
    key = key_of(place["physical_address"])
    signer = boto(signature_version="s3v4")
    url = signer.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=60)
    status, headers, _ = checks.http("PUT", url, data=b"signed by the user", headers={"Authorization": ""})
    equal((status, headers["etag"].strip('"')), (200, md5(b"signed by the user")))
    url = signer.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=60)
    equal(checks.http("GET", url, headers={"Authorization": ""})[2], b"signed by the user")
    forged = re.sub(r"(X-Amz-Signature=)[0-9a-f]{4}", r"\g<1>0000", url)
    status, _, body = checks.http("GET", forged, headers={"Authorization": ""})
    equal(status, 403)
    assert b"SignatureDoesNotMatch" in body, body


def check_boto3_errors() -> None:
    repository = new_repository()
    missing = f"{repository}/data/never"
    for call, code, status in [
        (lambda: BOTO.get_object(Bucket=BUCKET, Key=missing), "NoSuchKey", 404),
        (lambda: BOTO.head_object(Bucket=BUCKET, Key=missing), "404", 404),
        (lambda: BOTO.list_objects_v2(Bucket="no.such.bucket"), "NoSuchBucket", 404),
        (lambda: boto("wrong").get_object(Bucket=BUCKET, Key=missing), "SignatureDoesNotMatch", 403),
    ]:
        with fails(ClientError) as caught:
            call()
        answer = caught[0].response
        equal((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]), (code, status))
    place = location(repository, "r")
    key = key_of(place["physical_address"])
    BOTO.put_object(Bucket=BUCKET, Key=key, Body=b"1234")
    with fails(ClientError, says="InvalidRange"):
        BOTO.get_object(Bucket=BUCKET, Key=key, Range="bytes=9-")
    with fails(ClientError) as caught:
        BOTO.put_object(Bucket=BUCKET, Key=key, Body=b"other bytes")
    equal(caught[0].response["ResponseMetadata"]["HTTPStatusCode"], 412)
    equal(BOTO.get_object(Bucket=BUCKET, Key=key)["Body"].read(), b"1234")


def check_boto3_delete() -> None:
    repository = new_repository()
    place = location(repository, "d")
    key = key_of(place["physical_address"])
    BOTO.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    BOTO.delete_object(Bucket=BUCKET, Key=key)
    BOTO.delete_object(Bucket=BUCKET, Key=key)
    with fails(ClientError, says="404"):
        BOTO.head_object(Bucket=BUCKET, Key=key)


def check_minio_put_stat_get_list() -> None:
    repository = new_repository()
    data = b"minio" * 3000
    place = location(repository, "m.bin")
    key = key_of(place["physical_address"])
    written = MINIO.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(data), length=len(data))
    equal(written.etag, md5(data))
    link(repository, "m.bin", place, len(data), written.etag)
    equal(read(repository, "m.bin"), data)
    stat = MINIO.stat_object(bucket_name=BUCKET, object_name=key)
    equal((stat.size, stat.etag), (len(data), md5(data)))
    answer = MINIO.get_object(bucket_name=BUCKET, object_name=key, offset=5, length=10)
    equal(answer.read(), data[5:15])
    answer.close()
    listed = MINIO.list_objects(bucket_name=BUCKET, prefix=key[:-1], recursive=True)
    equal([item.object_name for item in listed], [key])
    equal(MINIO.bucket_exists(bucket_name=BUCKET), True)
    with fails(S3Error, says="NoSuchKey"):
        MINIO.get_object(bucket_name=BUCKET, object_name=f"{repository}/data/never")


def check_minio_presigned_and_copy() -> None:
    repository = new_repository()
    first = location(repository, "one")
    second = location(repository, "two")
    url = MINIO.presigned_put_object(bucket_name=BUCKET, object_name=key_of(first["physical_address"]))
    equal(checks.http("PUT", url, data=b"copied", headers={"Authorization": ""})[0], 200)
    MINIO.copy_object(
        bucket_name=BUCKET,
        object_name=key_of(second["physical_address"]),
        source=CopySource(bucket_name=BUCKET, object_name=key_of(first["physical_address"])),
    )
    link(repository, "two", second, 6, md5(b"copied"))
    equal(read(repository, "two"), b"copied")


def check_parquet() -> None:
    """A table written straight to a physical address, linked, and read back through a presigned URL."""
    repository = new_repository()
    table = pa.table({"n": list(range(10_000)), "name": [f"row {n}" for n in range(10_000)]})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    data = sink.getvalue()
    place = location(repository, "t.parquet")
    BOTO.upload_fileobj(io.BytesIO(data), BUCKET, key_of(place["physical_address"]))
    link(repository, "t.parquet", place, len(data), md5(data))
    _, _, body = checks.http("GET", f"/repositories/{repository}/refs/main/objects/stat?path=t.parquet&presign=true")
    _, _, found = checks.http("GET", json.loads(body)["physical_address"], headers={"Authorization": ""})
    assert pq.read_table(io.BytesIO(found)).equals(table)


def check_pyarrow_reads_a_physical_address() -> None:
    repository = new_repository()
    table = pa.table({"n": list(range(1000))})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    place = location(repository, "t.parquet")
    key = key_of(place["physical_address"])
    BOTO.put_object(Bucket=BUCKET, Key=key, Body=sink.getvalue())
    files = pyarrow.fs.S3FileSystem(
        access_key=KEY, secret_key=SECRET, endpoint_override=HOST, scheme="http", region="us-east-1"
    )
    with files.open_input_file(f"{BUCKET}/{key}") as file:
        assert pq.read_table(file).equals(table)


if __name__ == "__main__":
    checks.run(globals())

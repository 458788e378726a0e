# SPDX-License-Identifier: Apache-2.0
# environment: today
"""lakefs-sdk: uploads in parts, each part through a URL of its own; and what the store says of an object."""

from __future__ import annotations

import hashlib
import os

import checks
import lakefs_sdk
from checks import API, KEY, SECRET, equal, fails, fresh, http, namespace
from lakefs_sdk.client import LakeFSClient
from lakefs_sdk.exceptions import BadRequestException, NotFoundException

LAKE = LakeFSClient(lakefs_sdk.Configuration(host=API, username=KEY, password=SECRET))
LEAST = 5 * 1024 * 1024


def new_repository() -> str:
    name = fresh("multipart")
    LAKE.repositories_api.create_repository(lakefs_sdk.RepositoryCreation(name=name, storage_namespace=namespace(name)))
    return name


def send(url: str, data: bytes) -> str:
    status, headers, body = http("PUT", url, data=data, headers={"Authorization": ""})
    assert status == 200, (status, body)
    return headers["etag"]


def completed(begun: lakefs_sdk.PresignMultipartUpload, etags: list[str]) -> lakefs_sdk.CompletePresignMultipartUpload:
    parts = [lakefs_sdk.UploadPart(part_number=number, etag=etag) for number, etag in enumerate(etags, 1)]
    return lakefs_sdk.CompletePresignMultipartUpload(
        physical_address=begun.physical_address, parts=parts, user_metadata={"k": "v"}, content_type="text/csv"
    )


def check_an_upload_in_parts() -> None:
    repository, lake = new_repository(), LAKE.experimental_api
    first, last = os.urandom(LEAST), b"end"
    begun = lake.create_presign_multipart_upload(repository, "main", "big", parts=2)
    etags = [send(url, data) for url, data in zip(begun.presigned_urls, (first, last), strict=True)]
    stats = lake.complete_presign_multipart_upload(
        repository, "main", begun.upload_id, "big", complete_presign_multipart_upload=completed(begun, etags)
    )
    digests = b"".join(hashlib.md5(part).digest() for part in (first, last))
    equal(stats.checksum, f"{hashlib.md5(digests).hexdigest()}-2")
    equal((stats.size_bytes, stats.content_type, stats.metadata), (LEAST + 3, "text/csv", {"k": "v"}))
    equal(bytes(LAKE.objects_api.get_object(repository, "main", "big")), first + last)


def check_urls_and_copies_part_by_part() -> None:
    repository, lake = new_repository(), LAKE.experimental_api
    data = os.urandom(LEAST)
    LAKE.objects_api.upload_object(repository, "main", "source", content=data)
    begun = lake.create_presign_multipart_upload(repository, "main", "big")
    copied = lake.upload_part_copy_with_http_info(
        repository,
        "main",
        begun.upload_id,
        "big",
        1,
        lakefs_sdk.UploadPartCopyFrom(
            physical_address=begun.physical_address,
            copy_source=lakefs_sdk.CopyPartSource(repository=repository, ref="main", path="source"),
        ),
    )
    where = lake.upload_part(
        repository,
        "main",
        begun.upload_id,
        "big",
        2,
        lakefs_sdk.UploadPartFrom(physical_address=begun.physical_address),
    )
    etags = [copied.headers["ETag"], send(where.presigned_url, b"end")]
    lake.complete_presign_multipart_upload(
        repository, "main", begun.upload_id, "big", complete_presign_multipart_upload=completed(begun, etags)
    )
    equal(bytes(LAKE.objects_api.get_object(repository, "main", "big")), data + b"end")


def check_giving_up() -> None:
    repository, lake = new_repository(), LAKE.experimental_api
    begun = lake.create_presign_multipart_upload(repository, "main", "big", parts=1)
    body = lakefs_sdk.AbortPresignMultipartUpload(physical_address=begun.physical_address)
    lake.abort_presign_multipart_upload(repository, "main", begun.upload_id, "big", abort_presign_multipart_upload=body)
    with fails(NotFoundException, status=404):
        lake.complete_presign_multipart_upload(
            repository, "main", begun.upload_id, "big", complete_presign_multipart_upload=completed(begun, ["0" * 32])
        )
    with fails(BadRequestException, status=400):
        lake.create_presign_multipart_upload(repository, "main", "big", parts=10_001)


def check_what_the_store_says() -> None:
    repository = new_repository()
    LAKE.objects_api.upload_object(repository, "main", "o", content=b"x")
    equal(LAKE.objects_api.get_underlying_properties(repository, "main", "o").storage_class, None)


if __name__ == "__main__":
    checks.run(globals())

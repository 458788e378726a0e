# SPDX-License-Identifier: Apache-2.0
"""Which operation a request on a bucket of the embedded store means: by method, key and sub-resource."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.context import Physical
from lakehouse.s3.errors import S3Error
from lakehouse.s3.operations.abort_multipart_upload import abort_multipart_upload
from lakehouse.s3.operations.complete_multipart_upload import complete_multipart_upload
from lakehouse.s3.operations.copy_object import copy_object
from lakehouse.s3.operations.create_bucket import create_bucket
from lakehouse.s3.operations.create_multipart_upload import create_multipart_upload
from lakehouse.s3.operations.delete_bucket import delete_bucket
from lakehouse.s3.operations.delete_object import delete_object
from lakehouse.s3.operations.delete_objects import delete_objects
from lakehouse.s3.operations.get_bucket_location import get_bucket_location
from lakehouse.s3.operations.get_bucket_versioning import get_bucket_versioning
from lakehouse.s3.operations.get_object import get_object
from lakehouse.s3.operations.head_bucket import head_bucket
from lakehouse.s3.operations.head_object import head_object
from lakehouse.s3.operations.list_multipart_uploads import list_multipart_uploads
from lakehouse.s3.operations.list_objects import list_objects
from lakehouse.s3.operations.list_objects_v2 import list_objects_v2
from lakehouse.s3.operations.list_parts import list_parts
from lakehouse.s3.operations.put_object import put_object
from lakehouse.s3.operations.upload_part import upload_part
from lakehouse.s3.operations.upload_part_copy import upload_part_copy
from lakehouse.s3.request import S3Request

if TYPE_CHECKING:
    from collections.abc import Mapping

Operation = Callable[[Physical, S3Request], Awaitable[Answer]]

SUBRESOURCES = frozenset(
    {
        "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering",
        "inventory", "lambdaArn", "legal-hold", "lifecycle", "location", "logging", "metrics", "notification",
        "object-lock", "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock", "replication",
        "requestPayment", "restore", "retention", "select", "tagging", "torrent", "uploadId", "uploads", "versioning",
        "versions", "website",
    }
)  # fmt: skip
"""Names in the query that make another operation of the same method and path."""

_ON_BUCKET: Mapping[tuple[str, str], Operation] = {
    ("GET", ""): list_objects,
    ("GET", "location"): get_bucket_location,
    ("GET", "versioning"): get_bucket_versioning,
    ("GET", "uploads"): list_multipart_uploads,
    ("HEAD", ""): head_bucket,
    ("POST", "delete"): delete_objects,
    ("PUT", ""): create_bucket,
    ("DELETE", ""): delete_bucket,
}
_ON_OBJECT: Mapping[tuple[str, str], Operation] = {
    ("GET", ""): get_object,
    ("GET", "partNumber"): get_object,
    ("HEAD", ""): head_object,
    ("HEAD", "partNumber"): head_object,
    ("PUT", ""): put_object,
    ("DELETE", ""): delete_object,
    ("POST", "uploads"): create_multipart_upload,
    ("POST", "uploadId"): complete_multipart_upload,
    ("PUT", "partNumber,uploadId"): upload_part,
    ("GET", "uploadId"): list_parts,
    ("DELETE", "uploadId"): abort_multipart_upload,
}
OPERATIONS = frozenset(
    one.__name__ for one in (*_ON_BUCKET.values(), *_ON_OBJECT.values(), list_objects_v2, copy_object, upload_part_copy)
)
"""Names of all operations on buckets of the embedded store."""
INTERNAL: frozenset[Operation] = frozenset({get_object, head_object, put_object, upload_part})
"""What a URL that the server itself signed may do."""


def find_operation(request: S3Request) -> Operation:
    """The operation of a request that names a bucket. Raises S3Error NotImplemented."""
    found = sorted(SUBRESOURCES.intersection(request.query))
    sub = ",".join(found)
    table = _ON_OBJECT if request.key else _ON_BUCKET
    operation = table.get((request.method, sub))
    if operation is list_objects and request.query.get("list-type") == "2":
        return list_objects_v2
    if operation is put_object and "x-amz-copy-source" in request.headers:
        return copy_object
    if operation is upload_part and "x-amz-copy-source" in request.headers:
        return upload_part_copy
    if operation is None:
        what = f"{request.method} with ?{sub}" if sub else request.method
        raise S3Error("NotImplemented", f"{what} is not implemented on the store's own buckets")
    return operation

# SPDX-License-Identifier: Apache-2.0
"""From a request on a repository to its operation: by method, key and sub-resource."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import RepositoryNotFound
from lakehouse.s3.answer import Answer
from lakehouse.s3.errors import S3Error
from lakehouse.s3.repository.abort_multipart_upload import abort_multipart_upload
from lakehouse.s3.repository.complete_multipart_upload import complete_multipart_upload
from lakehouse.s3.repository.copy_object import copy_object
from lakehouse.s3.repository.create_bucket import create_bucket
from lakehouse.s3.repository.create_multipart_upload import create_multipart_upload
from lakehouse.s3.repository.delete_object import delete_object
from lakehouse.s3.repository.delete_objects import delete_objects
from lakehouse.s3.repository.gateway import Asked, Gateway, ask
from lakehouse.s3.repository.get_bucket_acl import get_bucket_acl
from lakehouse.s3.repository.get_bucket_location import get_bucket_location
from lakehouse.s3.repository.get_bucket_versioning import get_bucket_versioning
from lakehouse.s3.repository.get_object import get_object
from lakehouse.s3.repository.head_bucket import head_bucket
from lakehouse.s3.repository.head_object import head_object
from lakehouse.s3.repository.list_multipart_uploads import list_multipart_uploads
from lakehouse.s3.repository.list_object_versions import list_object_versions
from lakehouse.s3.repository.list_objects import list_objects
from lakehouse.s3.repository.list_objects_v2 import list_objects_v2
from lakehouse.s3.repository.list_parts import list_parts
from lakehouse.s3.repository.object_tagging import delete_object_tagging, get_object_tagging, put_object_tagging
from lakehouse.s3.repository.put_object import put_object
from lakehouse.s3.repository.upload_part import upload_part
from lakehouse.s3.repository.upload_part_copy import upload_part_copy
from lakehouse.s3.routes import SUBRESOURCES
from lakehouse.s3.sigv4 import is_unsigned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.core.records import User
    from lakehouse.s3.request import S3Request

Operation = Callable[[Gateway, Asked], Awaitable[Answer]]

_ON_BUCKET: Mapping[tuple[str, str], Operation] = {
    ("GET", ""): list_objects,
    ("GET", "acl"): get_bucket_acl,
    ("GET", "location"): get_bucket_location,
    ("GET", "uploads"): list_multipart_uploads,
    ("GET", "versioning"): get_bucket_versioning,
    ("GET", "versions"): list_object_versions,
    ("HEAD", ""): head_bucket,
    ("POST", "delete"): delete_objects,
    ("PUT", ""): create_bucket,
}
_ON_OBJECT: Mapping[tuple[str, str], Operation] = {
    ("GET", ""): get_object,
    ("GET", "partNumber"): get_object,
    ("GET", "tagging"): get_object_tagging,
    ("GET", "uploadId"): list_parts,
    ("GET", "versioning"): get_bucket_versioning,
    ("HEAD", ""): head_object,
    ("HEAD", "partNumber"): head_object,
    ("PUT", ""): put_object,
    ("PUT", "partNumber,uploadId"): upload_part,
    ("PUT", "tagging"): put_object_tagging,
    ("DELETE", ""): delete_object,
    ("DELETE", "tagging"): delete_object_tagging,
    ("DELETE", "uploadId"): abort_multipart_upload,
    ("POST", "uploads"): create_multipart_upload,
    ("POST", "uploadId"): complete_multipart_upload,
}


OPERATIONS = frozenset(
    one.__name__ for one in (*_ON_BUCKET.values(), *_ON_OBJECT.values(), list_objects_v2, copy_object, upload_part_copy)
)
"""Names of all operations on repositories."""
_UPLOADS = frozenset({upload_part, upload_part_copy, list_parts, abort_multipart_upload, complete_multipart_upload})
"""What names its upload by an id: its key may be the path alone, as lists of uploads show it."""


async def serve_repository(gateway: Gateway, request: S3Request, user: User | None) -> Answer:
    """The answer of the operation that a request means; `user` None: nobody in particular, who may read what is public.

    Raises S3Error, LakehouseError.
    """
    asked = await ask(gateway, request, user, repository=request.bucket, key=request.key)
    if request.takes_unsigned and is_unsigned(request) and _is_public(asked):
        # Whoever has a cookie along, a browser's user without rights here, sees what everybody does.
        asked = msgspec.structs.replace(asked, user=None)
    elif user is None:
        raise S3Error("AccessDenied", "Access Denied.")
    operation = find_operation(request)
    request.operation = operation.__name__
    try:
        if not request.bucket.isprintable():
            raise RepositoryNotFound
        if request.key and not asked.path and not _may_lack_path(operation, request.key):
            asked.require_repository()
            return Answer(404)
        return await operation(gateway, asked)
    except RepositoryNotFound as error:
        raise _no_repository(gateway, asked) from error


def _is_public(asked: Asked) -> bool:
    """Whether everybody may have the answer: the present content of an object in a repository that is public."""
    request = asked.request
    return (
        asked.public
        and asked.path != ""
        and request.method in ("GET", "HEAD")
        and not (SUBRESOURCES - {"partNumber"}).intersection(request.query)
        and "versionId" not in request.query
    )


def _may_lack_path(operation: Operation, key: str) -> bool:
    """Whether a key without a path means something: the directory marker that some clients put and delete for a branch,
    or an upload that its id names.
    """
    return (operation in (put_object, delete_object) and key.endswith("/")) or operation in _UPLOADS


def find_operation(request: S3Request) -> Operation:
    """Raises S3Error ERRLakeFSNotSupported for what repositories cannot do."""
    sub = ",".join(sorted(SUBRESOURCES.intersection(request.query)))
    table = _ON_OBJECT if request.key else _ON_BUCKET
    operation = table.get((request.method, sub))
    if operation is list_objects and request.query.get("list-type") == "2":
        return list_objects_v2
    if "x-amz-copy-source" in request.headers:
        if operation is put_object:
            return copy_object
        if operation is upload_part:
            return upload_part_copy
    if operation is None:
        what = f"{request.method} with ?{sub}" if sub else request.method
        raise S3Error("ERRLakeFSNotSupported", f"{what} is not supported on repositories")
    return operation


def _no_repository(gateway: Gateway, asked: Asked) -> S3Error:
    """NoSuchBucket, or AccessDenied for callers that may not know which repositories there are."""
    if not gateway.checker.allowed(asked.user, "fs:ListRepositories", f"repository/{asked.repository}"):
        return S3Error("AccessDenied", "Access Denied.")
    if asked.request.raw_path.startswith(b"/api/v1"):
        return S3Error(
            "ErrNoSuchBucketPossibleAPIEndpoint",
            "Repository 'api' not found; this looks like an address of the API, which is no S3 endpoint: "
            "use the server's address without a path",
        )
    return S3Error("NoSuchBucket", "The specified bucket does not exist")

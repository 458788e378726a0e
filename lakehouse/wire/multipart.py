# SPDX-License-Identifier: Apache-2.0
"""Uploads in parts, each part straight to the store through a URL of its own.

The server begins the upload, hands out URLs, and at the end puts the parts together and stages the object.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.objects import ObjectStats, PathQuery
from lakehouse.wire.operation import OBJECT, Operation, need

MAX_PARTS = 10_000
"""Most parts of an upload; the numbers begin with 1."""


class CreatePresignMultipartUploadQuery(PathQuery, frozen=True, kw_only=True, omit_defaults=True):
    """`parts`: so many URLs are wanted at once, 0 to 10,000."""

    parts: int = 0


class PresignMultipartUpload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that has begun. `presigned_urls`: one for each part, in order of their numbers."""

    upload_id: str
    physical_address: str
    presigned_urls: list[str] | UnsetType = UNSET


class UploadPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was uploaded, with the ETag that the store gave it."""

    part_number: int
    etag: str


class CompletePresignMultipartUpload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the object is made of. `physical_address` as it was handed out."""

    physical_address: str
    parts: Annotated[list[UploadPart], msgspec.Meta(max_length=MAX_PARTS)]
    user_metadata: dict[str, str] = {}
    content_type: str = ""


class AbortPresignMultipartUpload(msgspec.Struct, frozen=True, kw_only=True):
    """`physical_address` as it was handed out."""

    physical_address: str


class UploadPartFrom(msgspec.Struct, frozen=True, kw_only=True):
    """`physical_address` as it was handed out."""

    physical_address: str


class UploadTo(msgspec.Struct, frozen=True, kw_only=True):
    """Where to PUT a part."""

    presigned_url: str


class CopyPartSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An object, or of it the bytes of `range`: `bytes=FIRST-LAST`, both included."""

    repository: str
    ref: str
    path: str
    range: Annotated[str, msgspec.Meta(pattern=r"^bytes=((\d*-\d*,? ?)+)$")] | UnsetType = UNSET


class UploadPartCopyFrom(msgspec.Struct, frozen=True, kw_only=True):
    """`physical_address` as it was handed out."""

    physical_address: str
    copy_source: CopyPartSource


_UPLOADS = "/repositories/{repository}/branches/{branch}/staging/pmpu"
_UPLOAD = _UPLOADS + "/{uploadId}"
_PART = _UPLOAD + "/parts/{partNumber}"

CREATE_PRESIGN_MULTIPART_UPLOAD = Operation(
    name="create_presign_multipart_upload",
    id="createPresignMultipartUpload",
    method="POST",
    path=_UPLOADS,
    tag="multipart",
    summary="Begin an upload in parts, with a URL for each",
    allow=need("fs:WriteObject", OBJECT),
    query=CreatePresignMultipartUploadQuery,
    result=PresignMultipartUpload,
    status=201,
)
COMPLETE_PRESIGN_MULTIPART_UPLOAD = Operation(
    name="complete_presign_multipart_upload",
    id="completePresignMultipartUpload",
    method="PUT",
    path=_UPLOAD,
    tag="multipart",
    summary="Put the parts together and make the object an uncommitted change of the branch",
    allow=need("fs:WriteObject", OBJECT),
    query=PathQuery,
    body=CompletePresignMultipartUpload,
    body_required=False,
    result=ObjectStats,
)
ABORT_PRESIGN_MULTIPART_UPLOAD = Operation(
    name="abort_presign_multipart_upload",
    id="abortPresignMultipartUpload",
    method="DELETE",
    path=_UPLOAD,
    tag="multipart",
    summary="Give up an upload in parts and drop what was uploaded",
    allow=need("fs:WriteObject", OBJECT),
    query=PathQuery,
    body=AbortPresignMultipartUpload,
    body_required=False,
    status=204,
)
UPLOAD_PART = Operation(
    name="upload_part",
    id="uploadPart",
    method="PUT",
    path=_PART,
    tag="multipart",
    summary="Get a URL to upload one part to",
    allow=need("fs:WriteObject", OBJECT),
    query=PathQuery,
    body=UploadPartFrom,
    result=UploadTo,
)
UPLOAD_PART_COPY = Operation(
    name="upload_part_copy",
    id="uploadPartCopy",
    method="PUT",
    path=_PART + "/copy",
    tag="multipart",
    summary="Take a part from an object of a repository; the ETag header is the part's",
    allow=need("fs:WriteObject", OBJECT),
    query=PathQuery,
    body=UploadPartCopyFrom,
    status=204,
)

OPERATIONS = (
    CREATE_PRESIGN_MULTIPART_UPLOAD,
    COMPLETE_PRESIGN_MULTIPART_UPLOAD,
    ABORT_PRESIGN_MULTIPART_UPLOAD,
    UPLOAD_PART,
    UPLOAD_PART_COPY,
)

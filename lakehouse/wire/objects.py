# SPDX-License-Identifier: Apache-2.0
"""Objects of a ref: read, write, list, copy, delete."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.diffs import PathType
from lakehouse.wire.errors import ObjectErrorList
from lakehouse.wire.numbers import Size, Time
from lakehouse.wire.operation import DYNAMIC, OBJECT, REPOSITORY, Operation, need
from lakehouse.wire.paging import PageQuery, Pagination, Required

PRECONDITIONS = ("If-None-Match", "If-Match")


class ObjectStats(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An object, or a prefix in a listing with a delimiter.

    `physical_address` is the URI in the store, or with `presign` a URL that is good until `physical_address_expiry`;
    times in seconds.
    """

    path: str
    path_type: PathType = "object"
    physical_address: str
    physical_address_expiry: int | UnsetType = UNSET
    checksum: str
    size_bytes: int | UnsetType = UNSET
    mtime: int
    metadata: dict[str, str] | UnsetType = UNSET
    content_type: str | UnsetType = UNSET


class ObjectStatsList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[ObjectStats]


class PathQuery(msgspec.Struct, frozen=True, kw_only=True):
    path: Required


class GetObjectQuery(PathQuery, frozen=True, kw_only=True, omit_defaults=True):
    """`presign`: answer with a redirection to the store."""

    presign: bool = False


class UploadObjectQuery(PathQuery, frozen=True, kw_only=True, omit_defaults=True):
    storage_class: str = msgspec.field(default="", name="storageClass")
    force: bool = False


class DeleteObjectQuery(PathQuery, frozen=True, kw_only=True, omit_defaults=True):
    """`no_tombstone`: only forget what is staged."""

    force: bool = False
    no_tombstone: bool = False


class DeleteObjectsQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    force: bool = False
    no_tombstone: bool = False


class PathList(msgspec.Struct, frozen=True):
    paths: list[str]


class CopyObjectQuery(msgspec.Struct, frozen=True, kw_only=True):
    dest_path: Required


class ObjectCopyCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Without `src_ref` the source is on the destination's branch."""

    src_path: str
    src_ref: str = ""
    force: bool = False
    shallow: bool = False


class ObjectStageCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An object that is in a store already."""

    physical_address: str
    checksum: str
    size_bytes: Size
    mtime: Time | UnsetType = UNSET
    metadata: dict[str, str] = {}
    content_type: str = ""
    force: bool = False


class StatObjectQuery(PathQuery, frozen=True, kw_only=True, omit_defaults=True):
    user_metadata: bool = True
    presign: bool = False


class UpdateObjectUserMetadata(msgspec.Struct, frozen=True):
    """The whole user metadata from now on."""

    set: dict[str, str]


class UnderlyingObjectProperties(msgspec.Struct, frozen=True):
    storage_class: str | UnsetType | None = UNSET


class ListObjectsQuery(PageQuery, frozen=True, kw_only=True, omit_defaults=True):
    delimiter: str = ""
    user_metadata: bool = True
    presign: bool = False


_AT_REF = "/repositories/{repository}/refs/{ref}/objects"
_ON_BRANCH = "/repositories/{repository}/branches/{branch}/objects"

GET_OBJECT = Operation(
    name="get_object",
    id="getObject",
    method="GET",
    path=_AT_REF,
    tag="objects",
    summary="Read an object, or a range of it",
    allow=need("fs:ReadObject", OBJECT),
    query=GetObjectQuery,
    headers=("Range", "If-None-Match"),
    also={206: bytes, 302: None, 304: None},
    raw_result=True,
)
HEAD_OBJECT = Operation(
    name="head_object",
    id="headObject",
    method="HEAD",
    path=_AT_REF,
    tag="objects",
    summary="Get the headers that reading an object would send",
    allow=need("fs:ReadObject", OBJECT),
    query=PathQuery,
    headers=("Range",),
    also={206: None},
    raw_result=True,
)
STAT_OBJECT = Operation(
    name="stat_object",
    id="statObject",
    method="GET",
    path=_AT_REF + "/stat",
    tag="objects",
    summary="Get what is known of an object",
    allow=need("fs:ReadObject", OBJECT),
    query=StatObjectQuery,
    result=ObjectStats,
)
LIST_OBJECTS = Operation(
    name="list_objects",
    id="listObjects",
    method="GET",
    path=_AT_REF + "/ls",
    tag="objects",
    summary="List objects in bytewise order of their paths",
    allow=need("fs:ListObjects", REPOSITORY),
    query=ListObjectsQuery,
    result=ObjectStatsList,
)
GET_UNDERLYING_PROPERTIES = Operation(
    name="get_underlying_properties",
    id="getUnderlyingProperties",
    method="GET",
    path=_AT_REF + "/underlyingProperties",
    tag="objects",
    summary="Get what the store says of an object",
    allow=need("fs:ReadObject", OBJECT),
    query=PathQuery,
    result=UnderlyingObjectProperties,
)
UPLOAD_OBJECT = Operation(
    name="upload_object",
    id="uploadObject",
    method="POST",
    path=_ON_BRANCH,
    tag="objects",
    summary="Write an object through the server",
    allow=need("fs:WriteObject", OBJECT),
    query=UploadObjectQuery,
    body=bytes,
    body_required=False,
    headers=PRECONDITIONS,
    result=ObjectStats,
    status=201,
    raw_body=True,
)
STAGE_OBJECT = Operation(
    name="stage_object",
    id="stageObject",
    method="PUT",
    path=_ON_BRANCH,
    tag="objects",
    summary="Add an object that is in a store already",
    allow=need("fs:WriteObject", OBJECT),
    query=PathQuery,
    body=ObjectStageCreation,
    result=ObjectStats,
    status=201,
    deprecated=True,
)
DELETE_OBJECT = Operation(
    name="delete_object",
    id="deleteObject",
    method="DELETE",
    path=_ON_BRANCH,
    tag="objects",
    summary="Delete an object; one that is absent is no error",
    allow=need("fs:DeleteObject", OBJECT),
    query=DeleteObjectQuery,
    status=204,
)
DELETE_OBJECTS = Operation(
    name="delete_objects",
    id="deleteObjects",
    method="POST",
    path=_ON_BRANCH + "/delete",
    tag="objects",
    summary="Delete up to 1,000 objects",
    allow=DYNAMIC,
    query=DeleteObjectsQuery,
    body=PathList,
    result=ObjectErrorList,
)
COPY_OBJECT = Operation(
    name="copy_object",
    id="copyObject",
    method="POST",
    path=_ON_BRANCH + "/copy",
    tag="objects",
    summary="Copy an object within the repository",
    allow=DYNAMIC,
    query=CopyObjectQuery,
    body=ObjectCopyCreation,
    result=ObjectStats,
    status=201,
)
UPDATE_OBJECT_USER_METADATA = Operation(
    name="update_object_user_metadata",
    id="updateObjectUserMetadata",
    method="PUT",
    path=_ON_BRANCH + "/stat/user_metadata",
    tag="objects",
    summary="Replace an object's user metadata",
    allow=need("fs:WriteObject", OBJECT),
    query=PathQuery,
    body=UpdateObjectUserMetadata,
    status=204,
)
UPLOAD_OBJECT_PREFLIGHT = Operation(
    name="upload_object_preflight",
    id="uploadObjectPreflight",
    method="GET",
    path=_ON_BRANCH + "/stage_allowed",
    tag="objects",
    summary="Ask whether an object may be written",
    allow=need("fs:WriteObject", OBJECT),
    query=PathQuery,
    status=204,
)

OPERATIONS = (
    GET_OBJECT,
    HEAD_OBJECT,
    STAT_OBJECT,
    LIST_OBJECTS,
    GET_UNDERLYING_PROPERTIES,
    UPLOAD_OBJECT,
    STAGE_OBJECT,
    DELETE_OBJECT,
    DELETE_OBJECTS,
    COPY_OBJECT,
    UPDATE_OBJECT_USER_METADATA,
    UPLOAD_OBJECT_PREFLIGHT,
)

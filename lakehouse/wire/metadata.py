# SPDX-License-Identifier: Apache-2.0
"""The nodes of committed trees: where they are in the store, and their bytes."""

from __future__ import annotations

import msgspec

from lakehouse.wire.operation import REPOSITORY, Operation, need

_READ = need("fs:ListObjects", REPOSITORY) + need("fs:ReadRepository", REPOSITORY)


class StorageURI(msgspec.Struct, frozen=True):
    """A URI in the store; the answer has it in its Location header too."""

    location: str


class MetadataObjectQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`presign`: answer with a redirection to the store."""

    presign: bool = False


GET_META_RANGE = Operation(
    name="get_meta_range",
    id="getMetaRange",
    method="GET",
    path="/repositories/{repository}/metadata/meta_range/{meta_range}",
    tag="metadata",
    summary="Get the address of a tree's root",
    allow=_READ,
    result=StorageURI,
)
GET_RANGE = Operation(
    name="get_range",
    id="getRange",
    method="GET",
    path="/repositories/{repository}/metadata/range/{range}",
    tag="metadata",
    summary="Get the address of a tree's node",
    allow=_READ,
    result=StorageURI,
)
GET_METADATA_OBJECT = Operation(
    name="get_metadata_object",
    id="getMetadataObject",
    method="GET",
    path="/repositories/{repository}/metadata/object/{type}/{object_id}",
    tag="metadata",
    summary="Read the bytes of a tree's node; `type` is `meta_range` or `range`",
    allow=_READ,
    query=MetadataObjectQuery,
    also={302: None},
    raw_result=True,
)

OPERATIONS = (GET_META_RANGE, GET_RANGE, GET_METADATA_OBJECT)

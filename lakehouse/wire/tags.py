# SPDX-License-Identifier: Apache-2.0
"""Tags."""

from __future__ import annotations

import msgspec

from lakehouse.wire.branches import Ref, RefList
from lakehouse.wire.operation import REPOSITORY, TAG, Operation, need
from lakehouse.wire.paging import ForceQuery, PageQuery


class TagCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`ref` is any ref expression. `force` is about read-only repositories: a tag is never overwritten."""

    id: str
    ref: str
    force: bool = False


LIST_TAGS = Operation(
    name="list_tags",
    id="listTags",
    method="GET",
    path="/repositories/{repository}/tags",
    tag="tags",
    summary="List tags in order of their names",
    allow=need("fs:ListTags", REPOSITORY),
    query=PageQuery,
    result=RefList,
)
CREATE_TAG = Operation(
    name="create_tag",
    id="createTag",
    method="POST",
    path="/repositories/{repository}/tags",
    tag="tags",
    summary="Create a tag",
    allow=need("fs:CreateTag", "repository/{repository}/tag/{id}"),
    body=TagCreation,
    result=Ref,
    status=201,
)
GET_TAG = Operation(
    name="get_tag",
    id="getTag",
    method="GET",
    path="/repositories/{repository}/tags/{tag}",
    tag="tags",
    summary="Get a tag",
    allow=need("fs:ReadTag", TAG),
    result=Ref,
)
DELETE_TAG = Operation(
    name="delete_tag",
    id="deleteTag",
    method="DELETE",
    path="/repositories/{repository}/tags/{tag}",
    tag="tags",
    summary="Delete a tag",
    allow=need("fs:DeleteTag", TAG),
    query=ForceQuery,
    status=204,
)

OPERATIONS = (LIST_TAGS, CREATE_TAG, GET_TAG, DELETE_TAG)

# SPDX-License-Identifier: Apache-2.0
"""Descartes Labs Storage as its client speaks it, below `/storage/v1`, and the endpoint that gives it tokens.

`{key}` is the rest of a path, slashes and all; it may be empty. These operations are declared as those of the API are,
but are no part of it: they stand in no API document, and our own client of them is `lakehouse.sdk.kv`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lakehouse.wire.operation import DYNAMIC, NOBODY_ASKED, Operation

ROOT: Final = "/storage/v1"
LOGIN_ROOT: Final = "/iam"
STORAGE_TYPES: Final = ("data", "tmp", "result")
NEXT: Final = "X-NEXT"
"""Header of an answer when more keys follow; sent back as a header of the next request."""
PAGE: Final = 1000
"""Most keys of a page."""
GRANTS: Final = ("refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer")
"""What clients call the exchange of a secret for a token; old ones say the second."""

_TAG = "storage"


class ListKeysQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`prefix` is literal."""

    prefix: str = ""


class SignedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What a signed URL says: it allows one method on one key of an account. Times in seconds; it is good until before
    `expires`.
    """

    key: str
    account: int
    issued: int
    expires: int
    signature: str


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`client_id` is an access key id, `refresh_token` its secret."""

    client_id: str
    grant_type: str
    refresh_token: str


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`expires_in` in seconds."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  (its kind, not a token)
    expires_in: int


GET_VALUE = Operation(
    name="get_value",
    id="getValue",
    method="GET",
    path="/{storage_type}/get/{key}",
    tag=_TAG,
    summary="Get a value",
    allow=DYNAMIC,
    result=bytes,
    raw_result=True,
    headers=("Range",),
)
VALUE_EXISTS = Operation(
    name="value_exists",
    id="valueExists",
    method="HEAD",
    path="/{storage_type}/get/{key}",
    tag=_TAG,
    summary="Tell whether a key has a value",
    allow=DYNAMIC,
    raw_result=True,
)
DELETE_VALUE = Operation(
    name="delete_value",
    id="deleteValue",
    method="DELETE",
    path="/{storage_type}/{key}",
    tag=_TAG,
    summary="Delete a value; a key that has none is an error",
    allow=DYNAMIC,
    status=204,
)
LIST_KEYS = Operation(
    name="list_keys",
    id="listKeys",
    method="GET",
    path="/{storage_type}/list",
    tag=_TAG,
    summary="List keys, a page at a time",
    allow=DYNAMIC,
    query=ListKeysQuery,
    result=list[str],
    headers=(NEXT,),
)
GET_SIGNED_URL = Operation(
    name="get_signed_url",
    id="getSignedUrl",
    method="GET",
    path="/{storage_type}/get_signed_url/{key}",
    tag=_TAG,
    summary="Get a URL that allows to download a value",
    allow=DYNAMIC,
    result=str,
)
NEW_RESUMABLE_URL = Operation(
    name="new_resumable_url",
    id="newResumableUrl",
    method="GET",
    path="/{storage_type}/new_resumable_url/{key}",
    tag=_TAG,
    summary="Get a URL that allows to upload a value",
    allow=DYNAMIC,
    result=str,
)
DOWNLOAD_SIGNED = Operation(
    name="download_signed",
    id="downloadSigned",
    method="GET",
    path="/{storage_type}/signed",
    tag=_TAG,
    summary="Download a value by a signed URL",
    allow=NOBODY_ASKED,
    query=SignedQuery,
    result=bytes,
    raw_result=True,
    headers=("Range",),
)
LOOK_AT_SIGNED = Operation(
    name="look_at_signed",
    id="lookAtSigned",
    method="HEAD",
    path="/{storage_type}/signed",
    tag=_TAG,
    summary="Tell what a signed URL would download",
    allow=NOBODY_ASKED,
    query=SignedQuery,
    raw_result=True,
)
UPLOAD_SIGNED = Operation(
    name="upload_signed",
    id="uploadSigned",
    method="PUT",
    path="/{storage_type}/signed",
    tag=_TAG,
    summary="Upload a value by a signed URL",
    allow=NOBODY_ASKED,
    query=SignedQuery,
    body=bytes,
    raw_body=True,
    raw_result=True,
)
CREATE_TOKEN = Operation(
    name="create_token",
    id="createToken",
    method="POST",
    path="/token",
    tag="login",
    summary="Get a token for an access key pair",
    allow=NOBODY_ASKED,
    body=TokenRequest,
    result=TokenAnswer,
)

OPERATIONS: Final = (
    GET_VALUE,
    VALUE_EXISTS,
    DELETE_VALUE,
    LIST_KEYS,
    GET_SIGNED_URL,
    NEW_RESUMABLE_URL,
    DOWNLOAD_SIGNED,
    LOOK_AT_SIGNED,
    UPLOAD_SIGNED,
)
LOGIN_OPERATIONS: Final = (CREATE_TOKEN,)

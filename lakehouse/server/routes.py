# SPDX-License-Identifier: Apache-2.0
"""Which side of the server a request is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.request import S3_ROOT, bucket_of_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.asgi.types import Scope

_QUERY_MARKS = (b"X-Amz-Credential=", b"AWSAccessKeyId=")


def is_signed(scope: Scope) -> bool:
    """Whether a request carries an S3 signature, good or not: in its Authorization header or in its query."""
    query: bytes = scope["query_string"]
    for mark in _QUERY_MARKS:
        if mark in query and (query.startswith(mark) or b"&" + mark in query):
            return True
    for name, value in scope["headers"]:
        if name == b"authorization":
            return bool(value.startswith((b"AWS4", b"AWS ")))
        if name == b"x-amz-signature":
            return True
    return False


def is_upload_form(scope: Scope) -> bool:
    """Whether a request is an upload by a browser's form into one of the embedded store's buckets, whose names have a
    dot. Its signature is inside of the form.
    """
    bucket = scope["path"].strip("/")
    if scope["method"] != "POST" or "." not in bucket or "/" in bucket:
        return False
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return bool(kind.lower().startswith(b"multipart/form-data"))


def below_s3_root(scope: Scope) -> Scope | None:
    """The request as the S3 side is to see it, when its path is below its own root; else None."""
    path: str = scope["path"]
    if not path.startswith(S3_ROOT) or path[len(S3_ROOT) : len(S3_ROOT) + 1] not in ("", "/"):
        return None
    return {**scope, "root_path": scope.get("root_path", "") + S3_ROOT}


def has_s3_host(scope: Scope, domains: Sequence[str]) -> bool:
    """Whether the Host header names one of the S3 side's own hosts, or a bucket before one."""
    if not domains:
        return False
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    return bucket_of_host(host, domains) is not None

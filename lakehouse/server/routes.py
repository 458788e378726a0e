# SPDX-License-Identifier: Apache-2.0
"""Which side of the server a request is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakehouse.asgi.types import Scope

_QUERY_MARKS = (b"X-Amz-Credential=", b"AWSAccessKeyId=")


def is_signed(scope: Scope) -> bool:
    """Whether a request carries an S3 signature, good or not: in its Authorization header or in its query."""
    query: bytes = scope["query_string"]
    if query and any(query.startswith(mark) or b"&" + mark in query for mark in _QUERY_MARKS):
        return True
    for name, value in scope["headers"]:
        if name == b"authorization":
            return bool(value.startswith((b"AWS4", b"AWS ")))
        if name == b"x-amz-signature":
            return True
    return False

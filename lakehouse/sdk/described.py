# SPDX-License-Identifier: Apache-2.0
"""What the headers of an object say."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class ObjectHead(msgspec.Struct, frozen=True, kw_only=True):
    """`size` in bytes is of what the answer holds (a range, if one was asked for); `mtime` in seconds."""

    size: int
    checksum: str
    content_type: str
    mtime: int


def described(headers: Mapping[str, str]) -> ObjectHead:
    """The object that `headers`, by lower-case name, are of."""
    modified = headers.get("last-modified")
    return ObjectHead(
        size=int(headers.get("content-length", 0)),
        checksum=headers.get("etag", "").strip('"'),
        content_type=headers.get("content-type", ""),
        mtime=int(parsedate_to_datetime(modified).timestamp()) if modified else 0,
    )

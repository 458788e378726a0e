# SPDX-License-Identifier: Apache-2.0
"""What the DataStore's methods take and return."""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum

import msgspec


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an object; one that is absent has `exists` False and nothing else. `size` in bytes.

    `content_md5`: what its writer said, as `flytecontentmd5` of the user metadata.
    """

    exists: bool
    size: int = 0
    etag: str = ""
    content_md5: str = ""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Of a write. Keys of `metadata` are kept in lower case. `content_type` "": that of any bytes."""

    metadata: dict[str, str] = {}
    content_type: str = ""


class Cursor(msgspec.Struct, frozen=True):
    """Where to go on listing: behind this key; "" is the start, None the end."""

    after: str | None = ""

    @property
    def at_end(self) -> bool:
        """Whether there is nothing more."""
        return self.after is None


AT_START = Cursor("")
AT_END = Cursor(None)


def cursor_at(key: str) -> Cursor:
    """Behind a key of the container."""
    return Cursor(key)


class URLScope(IntEnum):
    """What a signed URL is good for. The numbers are Flyte's."""

    GET = 0
    PUT = 1


class SignedURLProperties(msgspec.Struct, frozen=True, kw_only=True):
    """What a URL shall be good for, and for how long.

    `content_md5` (Base64) of what will be PUT; with `add_content_md5_metadata` it is kept as metadata, too.
    """

    scope: URLScope = URLScope.GET
    expires_in: timedelta = timedelta(minutes=15)
    content_md5: str = ""
    add_content_md5_metadata: bool = False


class SignedURLResponse(msgspec.Struct, frozen=True):
    """A URL that needs no credentials, and the headers that must be sent with it."""

    url: str
    required_request_headers: dict[str, str]

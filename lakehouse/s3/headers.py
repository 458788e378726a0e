# SPDX-License-Identifier: Apache-2.0
"""An object's facts as S3 headers, and back.

User metadata is `x-amz-meta-*`, its names in lower case. The standard headers that S3 keeps with an object (such as
Cache-Control) are kept among the metadata under names that begin with a colon, which no header's name can.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

from lakehouse.objects.header_text import from_header, to_header
from lakehouse.s3.errors import S3Error
from lakehouse.s3.xml import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.objects.port import ObjectInfo
    from lakehouse.s3.request import S3Request

DEFAULT_TYPE = "binary/octet-stream"
MAX_METADATA = 2048
"""Bytes of all names and values of user metadata."""
_META = "x-amz-meta-"
_KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")
_OVERRIDES = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")


def stored_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """The metadata that a PUT asks to keep. Raises S3Error MetadataTooLarge."""
    found = {name[len(_META) :]: from_header(value) for name, value in headers.items() if name.startswith(_META)}
    if sum(len(name.encode()) + len(value.encode("utf-8", "replace")) for name, value in found.items()) > MAX_METADATA:
        raise S3Error("MetadataTooLarge", f"user metadata may have at most {MAX_METADATA} bytes, names included")
    for name in _KEPT:
        value = headers.get(name, "")
        if name == "content-encoding":
            value = ",".join(part for part in value.split(",") if part.strip() not in ("", "aws-chunked"))
        if value:
            found[f":{name}"] = value
    return found


def object_headers(info: ObjectInfo) -> dict[str, str]:
    """The headers of GET and HEAD, but for length and range."""
    headers = {
        "etag": quoted(info.etag),
        "last-modified": formatdate(int(info.modified), usegmt=True),
        "content-type": info.content_type or DEFAULT_TYPE,
        "accept-ranges": "bytes",
    }
    for name, value in info.metadata.items():
        if name.startswith(":"):
            headers[name[1:]] = value
        else:
            headers[_META + name] = to_header(value)
    return headers


def overrides(request: S3Request) -> dict[str, str]:
    """The headers that the query puts in place of the object's own (`response-content-type`, ...)."""
    query = request.query
    return {name: query[f"response-{name}"] for name in _OVERRIDES if f"response-{name}" in query}

# SPDX-License-Identifier: Apache-2.0
"""HeadObject: the headers of an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.objects.port import resolve_range
from lakehouse.s3.answer import Answer, sandboxed
from lakehouse.s3.conditions import check_read, parse_range
from lakehouse.s3.context import location
from lakehouse.s3.headers import object_headers, overrides

if TYPE_CHECKING:
    from lakehouse.objects.port import ObjectInfo
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def head_object(physical: Physical, request: S3Request) -> Answer:
    """What GetObject would answer, without the bytes."""
    return head_answer(request, await physical.store.head(location(request)))


def head_answer(request: S3Request, info: ObjectInfo) -> Answer:
    """The headers of an object or of a range of it. Raises PreconditionFailed, RangeNotSatisfiable."""
    headers = sandboxed({**object_headers(info), **overrides(request)})
    if not check_read(request.headers, info):
        return Answer(304, {"etag": headers["etag"]})
    byte_range = parse_range(request.headers.get("range"))
    start, length = resolve_range(byte_range, info.size)
    headers["content-length"] = str(length)
    if byte_range is None:
        return Answer(200, headers)
    headers["content-range"] = f"bytes {start}-{start + length - 1}/{info.size}"
    return Answer(206, headers)

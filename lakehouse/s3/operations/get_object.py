# SPDX-License-Identifier: Apache-2.0
"""GetObject: the bytes of an object, or a range of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, sandboxed
from lakehouse.s3.conditions import check_read, parse_range
from lakehouse.s3.context import location
from lakehouse.s3.headers import object_headers, overrides

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def get_object(physical: Physical, request: S3Request) -> Answer:
    """Conditions are judged before the range. A Range header that cannot be read gives the whole object."""
    byte_range = parse_range(request.headers.get("range"))
    if _has_conditions(request):
        info = await physical.store.head(location(request))
        if not check_read(request.headers, info):
            return Answer(304, {"etag": object_headers(info)["etag"]})
    reader = await physical.store.get(location(request), byte_range)
    headers = sandboxed({**object_headers(reader.info), **overrides(request)})
    headers["content-length"] = str(reader.length)
    if byte_range is None:
        return Answer(200, headers, reader)
    headers["content-range"] = f"bytes {reader.start}-{reader.start + reader.length - 1}/{reader.info.size}"
    return Answer(206, headers, reader)


def _has_conditions(request: S3Request) -> bool:
    return any(name.startswith("if-") and name != "if-range" for name in request.headers)

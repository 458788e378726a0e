# SPDX-License-Identifier: Apache-2.0
"""GetObject: the bytes of an object, or a range of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, sandboxed
from lakehouse.s3.conditions import check_read
from lakehouse.s3.context import location, part_of
from lakehouse.s3.headers import object_headers, overrides
from lakehouse.s3.part_reads import asked_bytes

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def get_object(physical: Physical, request: S3Request) -> Answer:
    """Conditions are judged before the range. A Range header that cannot be read gives the whole object."""
    asked = await asked_bytes(request, lambda number: part_of(physical, request, number))
    if _has_conditions(request):
        info = await physical.store.head(location(request))
        if not check_read(request.headers, info):
            return Answer(304, {"etag": object_headers(info)["etag"]})
    reader = await physical.store.get(location(request), asked.range)
    asked.check(reader.info)
    headers = sandboxed({**object_headers(reader.info), **asked.headers, **overrides(request)})
    headers["content-length"] = str(reader.length)
    if asked.range is None:
        return Answer(200, headers, reader)
    headers["content-range"] = f"bytes {reader.start}-{reader.start + reader.length - 1}/{reader.info.size}"
    return Answer(206, headers, reader)


def _has_conditions(request: S3Request) -> bool:
    return any(name.startswith("if-") and name != "if-range" for name in request.headers)

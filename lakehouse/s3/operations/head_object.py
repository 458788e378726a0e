# SPDX-License-Identifier: Apache-2.0
"""HeadObject: the headers of an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.objects.port import resolve_range
from lakehouse.s3.answer import Answer, sandboxed
from lakehouse.s3.conditions import check_read
from lakehouse.s3.context import location, part_of
from lakehouse.s3.headers import object_headers, overrides
from lakehouse.s3.part_reads import asked_bytes

if TYPE_CHECKING:
    from lakehouse.objects.port import ObjectInfo
    from lakehouse.s3.context import Physical
    from lakehouse.s3.part_reads import Asked
    from lakehouse.s3.request import S3Request


async def head_object(physical: Physical, request: S3Request) -> Answer:
    """What GetObject would answer, without the bytes."""
    asked = await asked_bytes(request, lambda number: part_of(physical, request, number))
    return head_answer(request, await physical.store.head(location(request)), asked)


def head_answer(request: S3Request, info: ObjectInfo, asked: Asked) -> Answer:
    """The headers of an object or of what is asked for of it. Raises PreconditionFailed, RangeNotSatisfiable."""
    asked.check(info)
    headers = sandboxed({**object_headers(info), **asked.headers, **overrides(request)})
    if not check_read(request.headers, info):
        return Answer(304, {"etag": headers["etag"]})
    start, length = resolve_range(asked.range, info.size)
    headers["content-length"] = str(length)
    if asked.range is None:
        return Answer(200, headers)
    headers["content-range"] = f"bytes {start}-{start + length - 1}/{info.size}"
    return Answer(206, headers)

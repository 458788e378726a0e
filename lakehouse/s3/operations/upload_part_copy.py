# SPDX-License-Identifier: Apache-2.0
"""UploadPartCopy: a part from the bytes of another object, or a range of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lakehouse.core.errors import PreconditionFailed
from lakehouse.objects.port import ByteRange
from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.conditions import check_read
from lakehouse.s3.context import location, multipart
from lakehouse.s3.errors import S3Error
from lakehouse.s3.operations.copy_object import copy_source
from lakehouse.s3.part_number import part_number
from lakehouse.s3.xml import NAMESPACE, document, element, quoted, timestamp

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})", re.ASCII)


async def upload_part_copy(physical: Physical, request: S3Request) -> Answer:
    number = part_number(request)
    reader = await physical.store.get(copy_source(physical, request), copy_range(request))
    try:
        if not check_read(request.headers, reader.info, prefix="x-amz-copy-source-"):
            raise PreconditionFailed
        part = await multipart(physical).put_part(
            location(request), request.query["uploadId"], number, reader.body, size=reader.length
        )
    finally:
        await reader.close()
    told = (element("LastModified", timestamp(part.modified)), element("ETag", quoted(part.etag)))
    return xml_answer(document("CopyPartResult", *told, namespace=NAMESPACE))


def copy_range(request: S3Request) -> ByteRange | None:
    """The range to copy; None: everything. Raises S3Error InvalidArgument."""
    text = request.headers.get("x-amz-copy-source-range")
    if text is None:
        return None
    match = _RANGE.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise S3Error("InvalidArgument", "x-amz-copy-source-range must be bytes=first-last")
    return ByteRange(int(match[1]), int(match[2]))

# SPDX-License-Identifier: Apache-2.0
"""ListParts: the parts of an upload that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.context import location, multipart
from lakehouse.s3.operations.listing import number
from lakehouse.s3.xml import NAMESPACE, document, element, parent, quoted, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.objects.port import PartInfo
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def list_parts(physical: Physical, request: S3Request) -> Answer:
    after, limit = parts_asked(request)
    upload = request.query["uploadId"]
    parts, more = await multipart(physical).parts(location(request), upload, after=after, limit=limit)
    return parts_answer(request, parts, after=after, limit=limit, more=more)


def parts_asked(request: S3Request) -> tuple[int, int]:
    """After which part, and how many. Raises S3Error InvalidArgument."""
    return number(request, "part-number-marker", 0), min(number(request, "max-parts", 1000), 1000)


def parts_answer(request: S3Request, parts: Sequence[PartInfo], *, after: int, limit: int, more: bool) -> Answer:
    """The document."""
    told = [
        element("Bucket", request.bucket),
        element("Key", request.key),
        element("UploadId", request.query["uploadId"]),
        element("PartNumberMarker", after),
        element("NextPartNumberMarker", parts[-1].number if parts else 0),
        element("MaxParts", limit),
        element("IsTruncated", "true" if more else "false"),
        element("StorageClass", "STANDARD"),
    ]
    told += [
        parent(
            "Part",
            element("PartNumber", part.number),
            element("LastModified", timestamp(part.modified)),
            element("ETag", quoted(part.etag)),
            element("Size", part.size),
        )
        for part in parts
    ]
    return xml_answer(document("ListPartsResult", *told, namespace=NAMESPACE))

# SPDX-License-Identifier: Apache-2.0
"""ListParts: the parts of an upload that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.context import location, multipart
from lakehouse.s3.operations.listing import number
from lakehouse.s3.xml import NAMESPACE, document, element, parent, quoted, timestamp

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def list_parts(physical: Physical, request: S3Request) -> Answer:
    upload = request.query["uploadId"]
    after, limit = number(request, "part-number-marker", 0), min(number(request, "max-parts", 1000), 1000)
    parts, more = await multipart(physical).parts(location(request), upload, after=after, limit=limit)
    told = [
        element("Bucket", request.bucket),
        element("Key", request.key),
        element("UploadId", upload),
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

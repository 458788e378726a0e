# SPDX-License-Identifier: Apache-2.0
"""CompleteMultipartUpload: make an object of the parts that were uploaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.context import location, multipart
from lakehouse.s3.operations.put_object import put_mode
from lakehouse.s3.part_number import MOST_PARTS
from lakehouse.s3.xml import NAMESPACE, document, element, quoted
from lakehouse.s3.xml_reader import children, malformed, read_document, text_of

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def complete_multipart_upload(physical: Physical, request: S3Request) -> Answer:
    """All or nothing; conditions and write-once places as for PutObject."""
    parts = await read_parts(request)
    place = location(request)
    mode = await put_mode(physical, request)
    info = await multipart(physical).complete(place, request.query["uploadId"], parts, mode=mode)
    return completed(request, info.etag)


async def read_parts(request: S3Request) -> list[tuple[int, str]]:
    """Number and ETag of each part that the body names. Raises S3Error MalformedXML."""
    root = await read_document(request.body, "CompleteMultipartUpload")
    parts: list[tuple[int, str]] = []
    for part in children(root, "Part"):
        number, etag = text_of(part, "PartNumber") or "", text_of(part, "ETag")
        if not number.isascii() or not number.isdigit() or len(number) > 5 or etag is None:
            raise malformed()
        parts.append((int(number), etag.strip().strip('"')))
    if not parts or len(parts) > MOST_PARTS:
        raise malformed()
    return parts


def completed(request: S3Request, etag: str) -> Answer:
    """The document that tells that the object is there."""
    told = (
        element("Location", f"/{request.bucket}/{request.key}"),
        element("Bucket", request.bucket),
        element("Key", request.key),
        element("ETag", quoted(etag)),
    )
    return xml_answer(document("CompleteMultipartUploadResult", *told, namespace=NAMESPACE))

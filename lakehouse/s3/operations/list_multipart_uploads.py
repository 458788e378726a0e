# SPDX-License-Identifier: Apache-2.0
"""ListMultipartUploads: uploads of a bucket that are not finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.context import multipart
from lakehouse.s3.errors import S3Error
from lakehouse.s3.operations.listing import number, wanted
from lakehouse.s3.xml import NAMESPACE, document, element, parent, timestamp

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def list_multipart_uploads(physical: Physical, request: S3Request) -> Answer:
    """Without an upload id, the key marker stands for all uploads of its key."""
    ask, query = wanted(request), request.query
    if ask.delimiter:
        raise S3Error("NotImplemented", "uploads cannot be listed with a delimiter")
    key, upload = query.get("key-marker", ""), query.get("upload-id-marker", "")
    limit = min(number(request, "max-uploads", 1000), 1000)
    after = (key, upload or ("g" if key else ""))  # ids are hex digits: "g" is after all of them
    uploads, more = await multipart(physical).uploads(request.bucket, prefix=ask.prefix, after=after, limit=limit)
    told = [
        element("Bucket", request.bucket),
        element("KeyMarker", ask.shown(key)),
        element("UploadIdMarker", upload),
        element("Prefix", ask.shown(ask.prefix)),
        element("MaxUploads", limit),
        element("IsTruncated", "true" if more else "false"),
    ]
    told += [element("EncodingType", "url")] if ask.encode else []
    if more and uploads:
        told += [
            element("NextKeyMarker", ask.shown(uploads[-1].key)),
            element("NextUploadIdMarker", uploads[-1].id),
        ]
    told += [
        parent(
            "Upload",
            element("Key", ask.shown(found.key)),
            element("UploadId", found.id),
            element("Initiated", timestamp(found.created)),
            element("StorageClass", "STANDARD"),
        )
        for found in uploads
    ]
    return xml_answer(document("ListMultipartUploadsResult", *told, namespace=NAMESPACE))

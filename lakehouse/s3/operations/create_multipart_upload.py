# SPDX-License-Identifier: Apache-2.0
"""CreateMultipartUpload: begin an upload in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.context import location, multipart
from lakehouse.s3.headers import stored_metadata
from lakehouse.s3.xml import NAMESPACE, document, element

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def create_multipart_upload(physical: Physical, request: S3Request) -> Answer:
    upload = await multipart(physical).create(
        location(request),
        content_type=request.headers.get("content-type", ""),
        metadata=stored_metadata(request.headers),
    )
    told = (element("Bucket", request.bucket), element("Key", request.key), element("UploadId", upload))
    return xml_answer(document("InitiateMultipartUploadResult", *told, namespace=NAMESPACE))

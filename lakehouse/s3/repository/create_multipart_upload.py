# SPDX-License-Identifier: Apache-2.0
"""CreateMultipartUpload: begin an object that arrives in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.repository.facts import kept_metadata
from lakehouse.s3.repository.gateway import allow_object
from lakehouse.s3.xml import NAMESPACE, document, element
from lakehouse.versioning.objects import multipart

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def create_multipart_upload(gateway: Gateway, asked: Asked) -> Answer:
    allow_object(gateway, asked, "fs:WriteObject")
    request = asked.request
    upload = await multipart.create(
        gateway.lake,
        asked.repository,
        asked.ref,
        asked.entry_path,
        content_type=request.headers.get("content-type", ""),
        metadata=kept_metadata(request),
    )
    told = (element("Bucket", request.bucket), element("Key", request.key), element("UploadId", upload))
    return xml_answer(document("InitiateMultipartUploadResult", *told, namespace=NAMESPACE))

# SPDX-License-Identifier: Apache-2.0
"""UploadPartCopy: a part from the bytes of an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import DataMissing
from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.errors import S3Error
from lakehouse.s3.operations.upload_part_copy import copy_range
from lakehouse.s3.part_number import part_number
from lakehouse.s3.repository.copy_source import copy_source
from lakehouse.s3.repository.upload import named_upload
from lakehouse.s3.xml import NAMESPACE, document, element, quoted, timestamp
from lakehouse.versioning.objects import multipart

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def upload_part_copy(gateway: Gateway, asked: Asked) -> Answer:
    number, byte_range = part_number(asked.request), copy_range(asked.request)
    begun = await named_upload(gateway, asked)
    source = await copy_source(gateway, asked)
    try:
        part = await multipart.copy_part(gateway.lake, begun, number, source, byte_range)
    except DataMissing as error:
        raise S3Error("InvalidRequest", "the bytes of the object to copy from are no longer in the store") from error
    told = (element("LastModified", timestamp(part.modified)), element("ETag", quoted(part.etag)))
    return xml_answer(document("CopyPartResult", *told, namespace=NAMESPACE))

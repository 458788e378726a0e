# SPDX-License-Identifier: Apache-2.0
"""UploadPart: one part of an unfinished upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.part_number import part_number
from lakehouse.s3.repository.upload import named_upload
from lakehouse.s3.xml import quoted
from lakehouse.versioning.objects import multipart

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def upload_part(gateway: Gateway, asked: Asked) -> Answer:
    """A part in place of one with the same number."""
    request = asked.request
    number = part_number(request)
    begun = await named_upload(gateway, asked)
    part = await multipart.put_part(gateway.lake, begun, number, request.body, size=request.length)
    return Answer(200, {"etag": quoted(part.etag)})

# SPDX-License-Identifier: Apache-2.0
"""UploadPart: store one part of an upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.context import location, multipart
from lakehouse.s3.part_number import part_number
from lakehouse.s3.xml import quoted

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def upload_part(physical: Physical, request: S3Request) -> Answer:
    part = await multipart(physical).put_part(
        location(request), request.query["uploadId"], part_number(request), request.body, size=request.length
    )
    return Answer(200, {"etag": quoted(part.etag)})

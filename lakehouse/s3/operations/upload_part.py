# SPDX-License-Identifier: Apache-2.0
"""UploadPart: store one part of an upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.context import location, multipart
from lakehouse.s3.errors import S3Error
from lakehouse.s3.xml import quoted

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request

MOST_PARTS = 10_000


async def upload_part(physical: Physical, request: S3Request) -> Answer:
    part = await multipart(physical).put_part(
        location(request), request.query["uploadId"], part_number(request), request.body, size=request.length
    )
    return Answer(200, {"etag": quoted(part.etag)})


def part_number(request: S3Request) -> int:
    """The number of the part. Raises S3Error InvalidArgument."""
    text = request.query["partNumber"]
    if not text.isascii() or not text.isdigit() or len(text) > 5 or not 1 <= int(text) <= MOST_PARTS:
        raise S3Error("InvalidArgument", f"partNumber must be 1 to {MOST_PARTS}")
    return int(text)

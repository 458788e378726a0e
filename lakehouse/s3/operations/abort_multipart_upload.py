# SPDX-License-Identifier: Apache-2.0
"""AbortMultipartUpload: give up an upload and drop its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.context import location, multipart

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def abort_multipart_upload(physical: Physical, request: S3Request) -> Answer:
    await multipart(physical).abort(location(request), request.query["uploadId"])
    return Answer(204)

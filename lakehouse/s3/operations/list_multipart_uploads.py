# SPDX-License-Identifier: Apache-2.0
"""ListMultipartUploads: uploads of a bucket that are not finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.context import multipart
from lakehouse.s3.operations.uploads_listing import uploads_answer

if TYPE_CHECKING:
    from lakehouse.objects.port import Upload
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def list_multipart_uploads(physical: Physical, request: S3Request) -> Answer:
    """Without an upload id, the key marker stands for all uploads of its key."""
    store, prefix = multipart(physical), request.query.get("prefix", "")

    async def fetch(after: tuple[str, str], limit: int) -> tuple[list[Upload], bool]:
        return await store.uploads(request.bucket, prefix=prefix, after=after, limit=limit)

    return await uploads_answer(request, fetch)

# SPDX-License-Identifier: Apache-2.0
"""CompleteMultipartUpload: make the object of its parts and stage it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.operations.complete_multipart_upload import completed, read_parts
from lakehouse.s3.repository.upload import named_upload
from lakehouse.s3.write_conditions import write_condition
from lakehouse.versioning.objects import multipart

if TYPE_CHECKING:
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def complete_multipart_upload(gateway: Gateway, asked: Asked) -> Answer:
    """All or nothing; conditions as for PutObject."""
    condition = write_condition(asked.request.headers)
    parts = await read_parts(asked.request)
    begun = await named_upload(gateway, asked)
    entry = await multipart.complete(gateway.lake, begun, parts, condition=condition)
    return completed(asked.request, entry.etag)

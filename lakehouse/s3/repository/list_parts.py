# SPDX-License-Identifier: Apache-2.0
"""ListParts: what of an upload has arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.operations.list_parts import parts_answer, parts_asked
from lakehouse.s3.repository.upload import named_upload
from lakehouse.versioning.objects import multipart

if TYPE_CHECKING:
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def list_parts(gateway: Gateway, asked: Asked) -> Answer:
    after, limit = parts_asked(asked.request)
    begun = await named_upload(gateway, asked)
    parts, more = await multipart.list_parts(gateway.lake, begun, after=after, limit=limit)
    return parts_answer(asked.request, parts, after=after, limit=limit, more=more)

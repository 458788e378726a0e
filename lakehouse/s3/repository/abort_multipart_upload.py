# SPDX-License-Identifier: Apache-2.0
"""AbortMultipartUpload: give up an upload; its parts are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.repository.upload import named_upload
from lakehouse.versioning.objects import multipart

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def abort_multipart_upload(gateway: Gateway, asked: Asked) -> Answer:
    await multipart.abort(gateway.lake, await named_upload(gateway, asked))
    return Answer(204)

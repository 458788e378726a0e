# SPDX-License-Identifier: Apache-2.0
"""HeadBucket: whether there is such a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.repository.gateway import allow
from lakehouse.versioning import resolve

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def head_bucket(gateway: Gateway, asked: Asked) -> Answer:
    allow(gateway, asked, "fs:ReadRepository")
    await resolve.repository(gateway.lake, asked.repository)
    return Answer(200, {"x-amz-bucket-region": gateway.region})

# SPDX-License-Identifier: Apache-2.0
"""HeadBucket: whether there is such a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.repository.gateway import allow

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def head_bucket(gateway: Gateway, asked: Asked) -> Answer:
    allow(gateway, asked, "fs:ReadRepository")
    asked.require_repository()
    return Answer(200, {"x-amz-bucket-region": gateway.region})

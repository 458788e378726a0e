# SPDX-License-Identifier: Apache-2.0
"""HeadBucket: whether a bucket is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def head_bucket(physical: Physical, request: S3Request) -> Answer:
    return Answer(200, {"x-amz-bucket-region": physical.region})

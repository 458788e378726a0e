# SPDX-License-Identifier: Apache-2.0
"""CreateBucket: buckets of the embedded store are set by its configuration, so they are always there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def create_bucket(physical: Physical, request: S3Request) -> Answer:
    """A store where every name is a bucket has nothing to do."""
    if physical.buckets.any_name:
        return Answer(200, {"location": f"/{request.bucket}"})
    raise S3Error("BucketAlreadyExists", f"the bucket {request.bucket} is there already")

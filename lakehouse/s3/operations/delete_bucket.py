# SPDX-License-Identifier: Apache-2.0
"""DeleteBucket: a bucket that holds nothing is as good as gone where every name is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def delete_bucket(physical: Physical, request: S3Request) -> Answer:
    if not physical.buckets.any_name:
        raise S3Error("NotImplemented", f"the bucket {request.bucket} is the server's own and always there")
    if (await physical.store.list(request.bucket, limit=1))[0]:
        raise S3Error("BucketNotEmpty", f"the bucket {request.bucket} is not empty")
    return Answer(204)

# SPDX-License-Identifier: Apache-2.0
"""PutObject: store the body of the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import ConditionUnsupported
from lakehouse.objects.port import PutMode
from lakehouse.s3.answer import Answer
from lakehouse.s3.context import location
from lakehouse.s3.headers import stored_metadata
from lakehouse.s3.xml import quoted

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def put_object(physical: Physical, request: S3Request) -> Answer:
    """All of the body or nothing. Write-once places keep their first bytes."""
    place = location(request)
    mode = create_mode(request)
    if await physical.write_once(place) and mode is PutMode.REPLACE:
        mode = PutMode.ONCE
    info = await physical.store.put(
        place,
        request.body,
        size=request.length,
        content_type=request.headers.get("content-type", ""),
        metadata=stored_metadata(request.headers),
        mode=mode,
    )
    return Answer(200, {"etag": quoted(info.etag)})


def create_mode(request: S3Request) -> PutMode:
    """CREATE for `If-None-Match: *`. Raises ConditionUnsupported for other conditions."""
    if "if-match" in request.headers:
        raise ConditionUnsupported("If-Match is not supported on the store's own buckets")
    condition = request.headers.get("if-none-match")
    if condition is None:
        return PutMode.REPLACE
    if condition.strip() != "*":
        raise ConditionUnsupported("If-None-Match is supported as * only")
    return PutMode.CREATE

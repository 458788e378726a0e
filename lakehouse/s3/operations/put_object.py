# SPDX-License-Identifier: Apache-2.0
"""PutObject: store the body of the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import ConditionUnsupported, PreconditionFailed
from lakehouse.objects.port import Match, PutMode
from lakehouse.s3.answer import Answer
from lakehouse.s3.context import location
from lakehouse.s3.headers import stored_metadata
from lakehouse.s3.xml import quoted

if TYPE_CHECKING:
    from lakehouse.objects.port import Mode
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def put_object(physical: Physical, request: S3Request) -> Answer:
    """All of the body or nothing. Write-once places keep their first bytes."""
    place = location(request)
    mode = await put_mode(physical, request)
    info = await physical.store.put(
        place,
        request.body,
        size=request.length,
        content_type=request.headers.get("content-type", ""),
        metadata=stored_metadata(request.headers),
        mode=mode,
    )
    return Answer(200, {"etag": quoted(info.etag)})


async def put_mode(physical: Physical, request: S3Request) -> Mode:
    """What a write does when an object is there, by the conditions of the request and the rules of the place.

    Raises ConditionUnsupported; of a write-once place PreconditionFailed and StoredObjectNotFound too.
    """
    place, mode = location(request), asked_mode(request)
    if mode is PutMode.CREATE or not await physical.write_once(place):
        return mode
    if isinstance(mode, Match) and not mode.meets((await physical.store.head(place)).etag):
        raise PreconditionFailed
    return PutMode.ONCE  # what is there stays, whatever its ETag


def asked_mode(request: S3Request) -> Mode:
    """CREATE for `If-None-Match: *`, a Match for If-Match. Raises ConditionUnsupported for other conditions."""
    none_match, match = request.headers.get("if-none-match"), request.headers.get("if-match")
    if match is not None and none_match is not None:
        raise ConditionUnsupported("If-Match and If-None-Match exclude each other in a write")
    if match is not None:
        return Match(frozenset(tag.strip().strip('"') for tag in match.split(",")))
    if none_match is None:
        return PutMode.REPLACE
    if none_match.strip() != "*":
        raise ConditionUnsupported("If-None-Match is supported as * only")
    return PutMode.CREATE

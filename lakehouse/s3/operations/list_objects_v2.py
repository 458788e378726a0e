# SPDX-License-Identifier: Apache-2.0
"""ListObjectsV2: keys of a bucket, with opaque continuation tokens."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from lakehouse.s3.errors import S3Error
from lakehouse.s3.operations.listing import list_page, second_form, wanted

if TYPE_CHECKING:
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def list_objects_v2(physical: Physical, request: S3Request) -> Answer:
    """A continuation token goes before `start-after`."""
    ask = wanted(request)
    token = request.query.get("continuation-token")
    after = request.query.get("start-after", "") if token is None else _after(token)
    found = await list_page(physical.store, request.bucket, ask, after=after)
    return second_form(request, ask, found, next_token=_token(found.resume))


def _token(after: str) -> str:
    return base64.urlsafe_b64encode(after.encode("utf-8", "surrogateescape")).decode()


def _after(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise S3Error("InvalidArgument", "the continuation token is not one that this server gave") from error

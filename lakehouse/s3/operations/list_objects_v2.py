# SPDX-License-Identifier: Apache-2.0
"""ListObjectsV2: keys of a bucket, with opaque continuation tokens."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.errors import S3Error
from lakehouse.s3.operations.listing import contents, list_page, wanted
from lakehouse.s3.xml import NAMESPACE, document, element

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def list_objects_v2(physical: Physical, request: S3Request) -> Answer:
    """A continuation token goes before `start-after`."""
    ask = wanted(request)
    query = request.query
    token, start_after = query.get("continuation-token"), query.get("start-after", "")
    after = start_after if token is None else _after(token)
    found = await list_page(physical.store, request.bucket, ask, after=after)
    told = [
        element("Name", request.bucket),
        element("Prefix", ask.shown(ask.prefix)),
        element("MaxKeys", ask.limit),
        element("KeyCount", len(found.objects) + len(found.prefixes)),
        element("IsTruncated", "true" if found.more else "false"),
    ]
    told += [element("Delimiter", ask.shown(ask.delimiter))] if ask.delimiter else []
    told += [element("EncodingType", "url")] if ask.encode else []
    told += [element("ContinuationToken", token)] if token is not None else []
    told += [element("StartAfter", ask.shown(start_after))] if start_after else []
    told += [element("NextContinuationToken", _token(found.resume))] if found.more else []
    told += contents(found, ask, owner=query.get("fetch-owner", "") == "true")
    return xml_answer(document("ListBucketResult", *told, namespace=NAMESPACE))


def _token(after: str) -> str:
    return base64.urlsafe_b64encode(after.encode("utf-8", "surrogateescape")).decode()


def _after(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise S3Error("InvalidArgument", "the continuation token is not one that this server gave") from error

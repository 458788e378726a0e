# SPDX-License-Identifier: Apache-2.0
"""ListObjects, the first form: keys of a bucket after a marker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.operations.listing import contents, list_page, wanted
from lakehouse.s3.xml import NAMESPACE, document, element

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def list_objects(physical: Physical, request: S3Request) -> Answer:
    """A marker that is a rolled-up prefix stands for all keys in it. NextMarker comes with a delimiter only."""
    ask = wanted(request)
    marker = request.query.get("marker", "")
    group = bool(ask.delimiter) and len(marker) > len(ask.prefix) and marker.endswith(ask.delimiter)
    found = await list_page(physical.store, request.bucket, ask, after=f"{marker}\udcff" if group else marker)
    told = [
        element("Name", request.bucket),
        element("Prefix", ask.shown(ask.prefix)),
        element("Marker", ask.shown(marker)),
        element("MaxKeys", ask.limit),
        element("IsTruncated", "true" if found.more else "false"),
    ]
    told += [element("Delimiter", ask.shown(ask.delimiter))] if ask.delimiter else []
    told += [element("EncodingType", "url")] if ask.encode else []
    told += [element("NextMarker", ask.shown(found.last))] if found.more and ask.delimiter else []
    told += contents(found, ask, owner=True)
    return xml_answer(document("ListBucketResult", *told, namespace=NAMESPACE))

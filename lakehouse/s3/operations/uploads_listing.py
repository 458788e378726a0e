# SPDX-License-Identifier: Apache-2.0
"""Pages of unfinished uploads: what both kinds of buckets share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from lakehouse.objects.port import Upload
from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.operations.listing import number, wanted
from lakehouse.s3.xml import NAMESPACE, document, element, parent, timestamp

if TYPE_CHECKING:
    from lakehouse.s3.operations.listing import Wanted
    from lakehouse.s3.request import S3Request

MOST = 1000
_BEYOND = "\udcff"
"""Sorts after every character."""
Fetch = Callable[[tuple[str, str], int], Awaitable[tuple[list[Upload], bool]]]
"""Uploads with the prefix that was asked for, after (key, id), and whether more follow."""


class UploadsFound(msgspec.Struct):
    """A page: uploads and rolled-up prefixes, each in order; and the marker of the next page, if there is one."""

    uploads: list[Upload]
    prefixes: list[str]
    more: bool = False
    last: tuple[str, str] = ("", "")


async def uploads_answer(request: S3Request, fetch: Fetch, *, shown: Callable[[str], str] = str) -> Answer:
    """The page that the request asks for. `shown`: the key of an upload as the answer tells it."""
    ask, query = wanted(request), request.query
    key, upload = query.get("key-marker", ""), query.get("upload-id-marker", "")
    limit = min(number(request, "max-uploads", MOST), MOST)
    if ask.delimiter and len(key) > len(ask.prefix) and key.endswith(ask.delimiter):
        after = (key + _BEYOND, "")
    else:
        after = (key, upload or ("g" if key else ""))  # ids are hex digits: "g" is after all of them
    found = await _page(fetch, ask, after=after, limit=limit)
    told = [
        element("Bucket", request.bucket),
        element("KeyMarker", ask.shown(key)),
        element("UploadIdMarker", upload),
        element("Prefix", ask.shown(ask.prefix)),
        element("MaxUploads", limit),
        element("IsTruncated", "true" if found.more else "false"),
    ]
    told += [element("Delimiter", ask.shown(ask.delimiter))] if ask.delimiter else []
    told += [element("EncodingType", "url")] if ask.encode else []
    if found.more:
        told += [element("NextKeyMarker", ask.shown(found.last[0])), element("NextUploadIdMarker", found.last[1])]
    told += [
        parent(
            "Upload",
            element("Key", ask.shown(shown(line.key))),
            element("UploadId", line.id),
            element("Initiated", timestamp(line.created)),
            element("StorageClass", "STANDARD"),
        )
        for line in found.uploads
    ]
    told += [parent("CommonPrefixes", element("Prefix", ask.shown(prefix))) for prefix in found.prefixes]
    return xml_answer(document("ListMultipartUploadsResult", *told, namespace=NAMESPACE))


async def _page(fetch: Fetch, ask: Wanted, *, after: tuple[str, str], limit: int) -> UploadsFound:
    found = UploadsFound([], [])
    more = limit > 0
    while more:
        lines, more = await fetch(after, limit)
        for line in lines:
            if found.prefixes and line.key.startswith(found.prefixes[-1]):
                continue
            if len(found.uploads) + len(found.prefixes) == limit:
                found.more = True
                return found
            end = line.key.find(ask.delimiter, len(ask.prefix)) if ask.delimiter else -1
            if end < 0:
                found.uploads.append(line)
                found.last = (line.key, line.id)
            else:
                found.prefixes.append(line.key[: end + len(ask.delimiter)])
                found.last = (found.prefixes[-1], "")
        after = (lines[-1].key, lines[-1].id) if lines else after
    return found

# SPDX-License-Identifier: Apache-2.0
"""GetObject: the bytes that a ref shows at a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.objects.port import ByteRange, resolve_range
from lakehouse.s3.answer import Answer, sandboxed
from lakehouse.s3.conditions import check_read
from lakehouse.s3.headers import object_headers, overrides
from lakehouse.s3.part_reads import asked_bytes
from lakehouse.s3.repository.facts import find_entry, info_of, part_of
from lakehouse.s3.repository.gateway import allow_object
from lakehouse.versioning.objects import addresses, objects

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway

_REDIRECTED = "s3RedirectionSupport"
"""In the User-Agent of clients that follow a redirection to the store."""


async def get_object(gateway: Gateway, asked: Asked) -> Answer:
    """Conditions are judged before the range. A Range header that cannot be read gives the whole object."""
    allow_object(gateway, asked, "fs:ReadObject")
    request, lake = asked.request, gateway.lake
    repository, entry = await find_entry(gateway, asked)
    info = info_of(entry)
    if not check_read(request.headers, info):
        return Answer(304, {"etag": object_headers(info)["etag"]})
    if _REDIRECTED in request.headers.get("user-agent", ""):
        store, at = addresses.locate(lake, repository, entry)
        endpoint = gateway.origin.endpoint(dict(request.scope))
        url = addresses.presigned_location(lake, store, at, method="GET", endpoint=endpoint)
        return Answer(307, {"location": url})
    bytes_of = await asked_bytes(request, lambda number: part_of(gateway, repository, entry, number))
    start, length = resolve_range(bytes_of.range, info.size)
    wanted = None if bytes_of.range is None else ByteRange(start, start + length - 1)
    reader = await objects.open_object(lake, repository, entry, wanted)
    headers = sandboxed({**object_headers(info), **bytes_of.headers, **overrides(request)})
    headers["content-length"] = str(reader.length)
    if wanted is None:
        return Answer(200, headers, reader)
    headers["content-range"] = f"bytes {start}-{start + length - 1}/{info.size}"
    return Answer(206, headers, reader)

# SPDX-License-Identifier: Apache-2.0
"""HeadObject: what GetObject would answer, without the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.objects.port import resolve_range
from lakehouse.s3.answer import Answer, sandboxed
from lakehouse.s3.conditions import check_read, parse_range
from lakehouse.s3.headers import object_headers, overrides
from lakehouse.s3.repository.facts import find_entry, info_of
from lakehouse.s3.repository.gateway import allow_object

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def head_object(gateway: Gateway, asked: Asked) -> Answer:
    """The store is not asked: the entry knows everything."""
    allow_object(gateway, asked, "fs:ReadObject")
    _, entry = await find_entry(gateway, asked)
    request, info = asked.request, info_of(entry)
    headers = sandboxed({**object_headers(info), **overrides(request)})
    if not check_read(request.headers, info):
        return Answer(304, {"etag": headers["etag"]})
    byte_range = parse_range(request.headers.get("range"))
    start, length = resolve_range(byte_range, info.size)
    headers["content-length"] = str(length)
    if byte_range is None:
        return Answer(200, headers)
    headers["content-range"] = f"bytes {start}-{start + length - 1}/{info.size}"
    return Answer(206, headers)

# SPDX-License-Identifier: Apache-2.0
"""Conditional requests (RFC 9110, section 13) and ranges, as S3 reads them."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from lakehouse.core.errors import PreconditionFailed
from lakehouse.objects.port import ByteRange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.objects.port import ObjectInfo

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def check_read(headers: Mapping[str, str], info: ObjectInfo, *, prefix: str = "") -> bool:
    """Whether the object is to be sent; False: 304. `prefix` is put before the names (`x-amz-copy-source-`).

    Raises PreconditionFailed. If-Match decides before If-Unmodified-Since, If-None-Match before If-Modified-Since.
    """
    match, none_match = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    if match is not None:
        if not _names(match, info.etag):
            raise PreconditionFailed
    elif (limit := _seconds(headers.get(f"{prefix}if-unmodified-since"))) is not None and int(info.modified) > limit:
        raise PreconditionFailed
    if none_match is not None:
        return not _names(none_match, info.etag)
    since = _seconds(headers.get(f"{prefix}if-modified-since"))
    return since is None or int(info.modified) > since


def parse_range(header: str | None) -> ByteRange | None:
    """One range of bytes; None also for what is no range, or several: then the whole object is sent."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    start, end = (int(digits) if digits else None for digits in match.groups())
    if start is not None and end is not None and end < start:
        return None
    return ByteRange(start, end)


def _names(header: str, etag: str) -> bool:
    """Whether a list of ETags, or `*`, has this one."""
    return any(tag.strip().removeprefix("W/").strip('"') in (etag, "*") for tag in header.split(","))


def _seconds(header: str | None) -> float | None:
    """A date in seconds; None for what is no date, which is ignored."""
    if header is None:
        return None
    try:
        return parsedate_to_datetime(header).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None

# SPDX-License-Identifier: Apache-2.0
"""The Range header: one range of bytes, or an error. Other forms are never taken for the whole object."""

from __future__ import annotations

import re

from lakehouse.core.errors import RangeNotSatisfiable
from lakehouse.objects.port import ByteRange

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_MAX_DIGITS = 18


def parse_range(header: str | None) -> ByteRange | None:
    """The range that a Range header asks for; None without one.

    Raises RangeNotSatisfiable, without a size, for more than one range and for what is none.
    """
    if header is None:
        return None
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.group() == "bytes=-" or max(map(len, match.groups())) > _MAX_DIGITS:
        raise RangeNotSatisfiable
    first, last = match.groups()
    found = ByteRange(int(first) if first else None, int(last) if last else None)
    if found.start is not None and found.end is not None and found.end < found.start:
        raise RangeNotSatisfiable
    return found


def satisfy(wanted: ByteRange, size: int) -> tuple[int, int]:
    """Start and length of `wanted` in an object of `size` bytes, cut to its end.

    Raises RangeNotSatisfiable, with the size, when not one byte of it is there.
    """
    if wanted.start is None:
        length = min(wanted.end or 0, size)
        start = size - length
    else:
        start = wanted.start
        length = (size if wanted.end is None else min(wanted.end + 1, size)) - start
    if length <= 0 or start >= size:
        raise RangeNotSatisfiable(size=size)
    return start, length


def content_range(start: int, length: int, size: int) -> bytes:
    """The Content-Range header of an answer with part of an object."""
    return b"bytes %d-%d/%d" % (start, start + length - 1, size)


def unsatisfied_range(size: int) -> bytes:
    """The Content-Range header of the refusal of a range."""
    return b"bytes */%d" % size

# SPDX-License-Identifier: Apache-2.0
"""Which part of an object a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from lakehouse.s3.request import S3Request

MOST_PARTS = 10_000


def part_number(request: S3Request) -> int:
    """The number of the part. Raises S3Error InvalidArgument."""
    text = request.query["partNumber"]
    if not text.isascii() or not text.isdigit() or len(text) > 5 or not 1 <= int(text) <= MOST_PARTS:
        raise S3Error("InvalidArgument", f"partNumber must be 1 to {MOST_PARTS}")
    return int(text)

# SPDX-License-Identifier: Apache-2.0
"""Places and bodies that the contracts of object stores are tested with."""

from __future__ import annotations

import asyncio

from lakehouse.objects.port import Location

B = "lake-local"
BUCKETS = (B, "one-bucket", "two-bucket")
"""Names that every kind of store takes."""


def at(key: str) -> Location:
    return Location(B, key)


async def stream(*chunks: bytes):
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk

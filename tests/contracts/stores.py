# SPDX-License-Identifier: Apache-2.0
"""Places and bodies that the contracts of object stores are tested with."""

from __future__ import annotations

import asyncio

import pytest

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


S3 = ("minio", "moto", "fast")
"""Kinds of stores behind S3: ours with the minio package, somebody else's, ours with obstore."""
DEEP = ("azure",)
"""Kinds whose server takes long to install."""


def kinds(*names: str) -> list:
    """Parameters for the stores of these kinds."""
    return [pytest.param(name, marks=pytest.mark.deep if name in DEEP else ()) for name in names]


def named_by_content(store) -> bool:
    """Whether ETags of whole objects are their MD5s, wherever they are told."""
    return store.describe().kind != "azure"


def refuses(store, key: str) -> bool:
    """Whether this is a key that the store does not take: it would take it for another one."""
    segments = key.split("/")
    if store.describe().kind == "gs":
        return key in (".", "..")
    if store.describe().kind == "azure":
        return {"", ".", ".."}.intersection(segments) != set()
    return store.describe().kind == "s3" and hasattr(store, "presign") and {".", ".."}.intersection(segments) != set()

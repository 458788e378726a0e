# SPDX-License-Identifier: Apache-2.0
"""Removing blobs: one, or all below a folder, a thousand at a time."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from lakehouse.core.errors import ResourceNotFound
from lakehouse.sdk.buckets.progress import StorageProgressDelete
from lakehouse.sdk.buckets.upload_dir import is_dir
from lakehouse.sdk.buckets.uris import joined

if TYPE_CHECKING:
    from yarl import URL

    from lakehouse.sdk.buckets.listing import Listed
    from lakehouse.sdk.buckets.progress import AbstractDeleteProgress
    from lakehouse.sdk.buckets.s3 import S3Bucket


async def remove(bucket: S3Bucket, uri: URL, key: str, *, recursive: bool, progress: AbstractDeleteProgress) -> None:
    """Raises FileNotFoundError, IsADirectoryError (a folder, and not `recursive`). `uri` is the bucket's."""
    folder = await is_dir(bucket, key)
    if folder and not recursive:
        raise IsADirectoryError(errno.EISDIR, "is a folder: remove it recursively", str(joined(uri, key)))
    if folder:
        await _remove_below(bucket, uri, key.rstrip("/") + "/" if key else "", progress)
        return
    try:
        await bucket.head(key)
    except ResourceNotFound as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(joined(uri, key))) from error
    await bucket.delete(key)
    progress.delete(StorageProgressDelete(joined(uri, key), is_dir=False))


async def _remove_below(bucket: S3Bucket, uri: URL, prefix: str, progress: AbstractDeleteProgress) -> None:
    """Blobs first, then the markers of folders, the innermost first: who is cut off can go on."""
    markers: list[Listed] = []
    async for page in bucket.pages(prefix, recursive=True):
        blobs = [one for one in page.blobs if not (one.key.endswith("/") and one.size == 0)]
        markers += [one for one in page.blobs if one.key.endswith("/") and one.size == 0]
        if blobs:
            await bucket.delete_many([one.key for one in blobs])
        for one in blobs:
            progress.delete(StorageProgressDelete(joined(uri, one.key), is_dir=False))
    inner = sorted((one.key for one in markers), key=lambda key: key.count("/"), reverse=True)
    for start in range(0, len(inner), 1000):
        await bucket.delete_many(inner[start : start + 1000])
    for key in inner:
        if key != prefix:
            progress.delete(StorageProgressDelete(joined(uri, key), is_dir=True))
    progress.delete(StorageProgressDelete(joined(uri, prefix), is_dir=True))

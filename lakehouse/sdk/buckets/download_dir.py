# SPDX-License-Identifier: Apache-2.0
"""Blobs and folders of a bucket into local files.

Names come from whoever wrote to the bucket: one that would lead out of its folder, or nowhere, is left out and told.
"""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING, BinaryIO

from yarl import URL

from lakehouse.core.errors import ResourceNotFound
from lakehouse.sdk.buckets.local import make_folder, refuse_folder
from lakehouse.sdk.buckets.progress import StorageProgressFail
from lakehouse.sdk.buckets.receive import LEAST, receive
from lakehouse.sdk.buckets.transfer import Folder, Wish, Workers, one_file, workers
from lakehouse.sdk.buckets.upload_dir import is_dir
from lakehouse.sdk.buckets.uris import joined

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lakehouse.sdk.buckets.ignored import Filter
    from lakehouse.sdk.buckets.listing import Listed
    from lakehouse.sdk.buckets.progress import AbstractFileProgress, AbstractRecursiveFileProgress
    from lakehouse.sdk.buckets.s3 import S3Bucket

_GATHERED = 2**20
"""Bytes that are written to a file at once."""


async def get_file(
    bucket: S3Bucket, key: str, path: Path, *, offset: int, size: int, step: Callable[[int], object]
) -> None:
    """Write a blob to a file: all of its `size` bytes, or what follows `offset` bytes that the file has already.

    The file is written from the front, so that a download that breaks off can be continued.
    """
    done = 0
    with path.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        if size - offset >= LEAST and (request := await bucket.plain_request(key, offset)) is not None:
            done, whole = await receive(request, file, patience=bucket.timeout, step=step)
            if whole:
                return
        await _get_rest(bucket, key, file, offset=offset, done=done, step=step)


async def _get_rest(
    bucket: S3Bucket, key: str, file: BinaryIO, *, offset: int, done: int, step: Callable[[int], object]
) -> None:
    """Write what follows the first `offset + done` bytes."""
    held = bytearray()
    async with bucket.get(key, offset + done) as pieces:
        async for piece in pieces:
            held += piece
            if len(held) >= _GATHERED:
                await asyncio.to_thread(file.write, held)
                done += len(held)
                held = bytearray()
                step(done)
    file.write(held)
    if held or not done:
        step(done + len(held))


async def download_file(
    bucket: S3Bucket, uri: URL, key: str, dst: Path, *, wish: Wish, progress: AbstractFileProgress
) -> None:
    """Raises FileNotFoundError, IsADirectoryError (either side). `uri` is the bucket's."""
    src = str(joined(uri, key))
    if not key or key.endswith("/"):
        raise IsADirectoryError(errno.EISDIR, "is a folder: use download_dir", src)
    try:
        there = await bucket.head(key)
    except ResourceNotFound as error:
        if await is_dir(bucket, key):
            raise IsADirectoryError(errno.EISDIR, "is a folder: use download_dir", src) from error
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), src) from error
    refuse_folder(dst)
    offset = _offset(dst, wish, size=there.size, modified=there.modified.timestamp() - bucket.ahead)
    if offset is None:
        return
    await one_file(
        joined(uri, key),
        URL(dst.as_uri()),
        size=there.size,
        begun=offset,
        progress=progress,
        move=lambda step: get_file(bucket, key, dst, offset=offset, size=there.size, step=step),
    )


def _offset(dst: Path, wish: Wish, *, size: int, modified: float) -> int | None:
    """From where on to transfer; None: the file is up to date."""
    if not wish or not dst.exists():
        return 0
    status = dst.stat()
    return wish.offset(src=(size, modified), dst=(status.st_size, status.st_mtime))


class DirDownload:
    """One download of a folder."""

    def __init__(
        self,
        bucket: S3Bucket,
        uri: URL,
        *,
        wish: Wish,
        keep: Filter | None,
        progress: AbstractRecursiveFileProgress,
    ) -> None:
        self._bucket = bucket
        self._uri = uri
        self._wish = wish
        self._keep = keep
        self._progress = progress
        self._workers: Workers

    async def run(self, key: str, dst: Path) -> None:
        """Raises FileNotFoundError, NotADirectoryError (either side)."""
        prefix = key.rstrip("/") + "/" if key else ""
        if not await is_dir(self._bucket, prefix):
            await self._refuse(prefix)
        async with workers() as self._workers:
            await self._folder(prefix, dst, "", parent=None)

    async def _refuse(self, prefix: str) -> None:
        where = str(joined(self._uri, prefix[:-1]))
        try:
            await self._bucket.head(prefix[:-1])
        except ResourceNotFound as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), where) from error
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), where)

    async def _folder(self, prefix: str, dst: Path, inside: str, *, parent: Folder | None) -> None:
        make_folder(dst)
        folder = Folder(joined(self._uri, prefix), URL(dst.as_uri()), self._progress, parent)
        below: list[str] = []
        async for page in self._bucket.pages(prefix, recursive=False):
            for blob in page.blobs:
                if blob.key != prefix:
                    await self._blob(blob, blob.key[len(prefix) :], dst, inside, folder)
            below += [one[len(prefix) : -1] for one in page.prefixes]
        for name in below:
            if not self._is_good(name, prefix + name, dst):
                continue
            path = f"{inside}{name}/"
            if self._keep is None or await self._keep(path):
                await self._folder(f"{prefix}{name}/", dst / name, path, parent=folder)
        folder.done()

    async def _blob(self, blob: Listed, name: str, folder_path: Path, inside: str, folder: Folder) -> None:
        if not self._is_good(name, blob.key, folder_path):
            return
        if self._keep is not None and not await self._keep(inside + name):
            return
        dst = folder_path / name
        modified = blob.modified.timestamp() - self._bucket.ahead
        offset = _offset(dst, self._wish, size=blob.size, modified=modified)
        if offset is None:
            return
        work = one_file(
            joined(self._uri, blob.key),
            URL(dst.as_uri()),
            size=blob.size,
            begun=offset,
            progress=self._progress,
            move=lambda step: get_file(self._bucket, blob.key, dst, offset=offset, size=blob.size, step=step),
        )
        await self._workers.begin(folder, work)

    def _is_good(self, name: str, key: str, folder: Path) -> bool:
        """Whether a name of a bucket is one of a local file; else that is told."""
        if name not in ("", ".", "..") and "\0" not in name and "/" not in name:
            return True
        what = f"{key!r} cannot be the name of a file"
        self._progress.fail(StorageProgressFail(joined(self._uri, key), URL(folder.as_uri()), what))
        return False

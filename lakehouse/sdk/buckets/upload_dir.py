# SPDX-License-Identifier: Apache-2.0
"""Local files and folders into a bucket. A folder gets a marker, an empty blob `folder/`, so that empty ones stay."""

from __future__ import annotations

import asyncio
import errno
import stat
from typing import TYPE_CHECKING

from yarl import URL

from lakehouse.core.errors import ResourceNotFound
from lakehouse.sdk.buckets.ignored import Filter, Ignored
from lakehouse.sdk.buckets.local import require_folder, scan, source_file
from lakehouse.sdk.buckets.progress import StorageProgressFail
from lakehouse.sdk.buckets.transfer import Folder, Wish, Workers, one_file, workers
from lakehouse.sdk.buckets.upload import put_file
from lakehouse.sdk.buckets.uris import joined

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from lakehouse.sdk.buckets.listing import Listed
    from lakehouse.sdk.buckets.local import Found
    from lakehouse.sdk.buckets.progress import AbstractFileProgress, AbstractRecursiveFileProgress
    from lakehouse.sdk.buckets.s3 import S3Bucket


async def is_dir(bucket: S3Bucket, key: str) -> bool:
    """Whether there are blobs below `key`; the bucket itself is a folder always."""
    folder = key.rstrip("/") + "/" if key else ""
    page = await bucket.list(folder, recursive=True, most=1)
    return not key or bool(page.blobs or page.prefixes)


async def upload_file(
    bucket: S3Bucket, uri: URL, src: Path, key: str, *, wish: Wish, progress: AbstractFileProgress
) -> None:
    """Raises FileNotFoundError, IsADirectoryError (either side). `uri` is the bucket's."""
    found = source_file(src)
    if not key or key.endswith("/") or await is_dir(bucket, key):
        raise IsADirectoryError(errno.EISDIR, "is a folder: name the blob, too", str(joined(uri, key)))
    if wish:
        try:
            there = await bucket.head(key)
        except ResourceNotFound:
            pass
        else:
            dst = (there.size, there.modified.timestamp() - bucket.ahead)
            if wish.offset(src=(found.size, found.modified), dst=dst) is None:
                return
    await one_file(
        URL(src.as_uri()),
        joined(uri, key),
        size=found.size,
        begun=0,
        progress=progress,
        move=lambda step: put_file(bucket, src, key, size=found.size, step=step),
    )


class DirUpload:
    """One upload of a folder."""

    def __init__(
        self,
        bucket: S3Bucket,
        uri: URL,
        *,
        wish: Wish,
        keep: Filter | None,
        ignore_names: AbstractSet[str],
        progress: AbstractRecursiveFileProgress,
    ) -> None:
        self._bucket = bucket
        self._uri = uri
        self._wish = wish
        self._keep = keep
        self._ignore_names = ignore_names
        self._progress = progress
        self._workers: Workers

    async def run(self, src: Path, key: str) -> None:
        """Raises FileNotFoundError, NotADirectoryError (either side)."""
        require_folder(src)
        prefix = key.rstrip("/") + "/" if key else ""
        ignored = await asyncio.to_thread(Ignored.around, src, self._ignore_names)
        async with workers() as self._workers:
            await self._folder(src, prefix, "", ignored=ignored, parent=None, new=False)

    async def _folder(
        self, src: Path, prefix: str, inside: str, *, ignored: Ignored, parent: Folder | None, new: bool
    ) -> None:
        """`inside`: the path below the folder that is uploaded; `new`: the bucket has nothing where it goes."""
        new = await self._mark(prefix, new=new)
        entries = await asyncio.to_thread(scan, src)
        present = await self._present(prefix) if self._wish and not new else {}
        folder = Folder(URL(src.as_uri()), joined(self._uri, prefix), self._progress, parent)
        names = [one.name for one in entries if one.name in self._ignore_names and stat.S_ISREG(one.kind)]
        if names:
            ignored = await asyncio.to_thread(ignored.within, src, inside, names)
        for one in entries:
            path = f"{inside}{one.name}" + ("/" if stat.S_ISDIR(one.kind) else "")
            if ignored(path) or (self._keep is not None and not await self._keep(path)):
                continue
            if stat.S_ISDIR(one.kind):
                await self._folder(
                    src / one.name, f"{prefix}{one.name}/", path, ignored=ignored, parent=folder, new=new
                )
            elif stat.S_ISREG(one.kind):
                await self._file(src / one.name, prefix + one.name, one, folder, present.get(prefix + one.name))
            else:
                self._left_out(src / one.name, prefix + one.name)
        folder.done()

    async def _file(self, src: Path, key: str, found: Found, folder: Folder, there: Listed | None) -> None:
        if there is not None:
            dst = (there.size, there.modified.timestamp() - self._bucket.ahead)
            if self._wish.offset(src=(found.size, found.modified), dst=dst) is None:
                return
        work = one_file(
            URL(src.as_uri()),
            joined(self._uri, key),
            size=found.size,
            begun=0,
            progress=self._progress,
            move=lambda step: put_file(self._bucket, src, key, size=found.size, step=step),
        )
        await self._workers.begin(folder, work)

    def _left_out(self, src: Path, key: str) -> None:
        what = f"{src} is neither a file nor a folder"
        self._progress.fail(StorageProgressFail(URL(src.as_uri()), joined(self._uri, key), what))

    async def _mark(self, prefix: str, *, new: bool) -> bool:
        """Make the folder's marker unless the folder is there; whether it was not. Raises NotADirectoryError."""
        if not prefix:
            return False
        if not new:
            if await is_dir(self._bucket, prefix):
                return False
            try:
                await self._bucket.head(prefix[:-1])
            except ResourceNotFound:
                pass
            else:
                raise NotADirectoryError(errno.ENOTDIR, "is a blob", str(joined(self._uri, prefix[:-1])))
        await self._bucket.put(prefix, b"")
        return True

    async def _present(self, prefix: str) -> dict[str, Listed]:
        """The blobs of one level, by key."""
        found = {}
        async for page in self._bucket.pages(prefix, recursive=False):
            found.update({blob.key: blob for blob in page.blobs})
        return found

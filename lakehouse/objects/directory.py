# SPDX-License-Identifier: Apache-2.0
"""Directories of this machine as a store to import from: `local://NAME/path`, read-only.

Only what lies below the directories that are given can be reached: no `..`, no symbolic link. An object's ETag is made
of its size and time of change, because a checksum would mean to read every file; it is another one when the file is
written again.
"""

from __future__ import annotations

import asyncio
import errno
import mimetypes
import os
import stat
from bisect import bisect_left
from typing import TYPE_CHECKING

from lakehouse.core.errors import StorageUnavailable, StoredObjectNotFound, Unsupported
from lakehouse.objects.body import CHUNK
from lakehouse.objects.disk_errors import disk_error
from lakehouse.objects.port import (
    ByteRange,
    Location,
    ObjectInfo,
    ObjectReader,
    StoreDescription,
    StoredObject,
    resolve_range,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from pathlib import Path

SCHEME = "local"
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})
"""Also what is behind a link, and what is no file."""
_REMEMBERED = 64
"""Directories whose sorted names are kept between two pages of a listing, each good until it changes."""


class DirectoryStore:
    """An ObjectStore over directories by name; writing is Unsupported."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = {name: os.path.realpath(folder) for name, folder in folders.items()}
        self._walk = _Walk(self._folders)

    async def get(self, location: Location, byte_range: ByteRange | None = None) -> ObjectReader:
        """Open a file. Raises StoredObjectNotFound, RangeNotSatisfiable, StorageUnavailable."""
        descriptor, info = await asyncio.to_thread(self._open, location)
        try:
            start, length = resolve_range(byte_range, info.size)
        except BaseException:
            os.close(descriptor)
            raise
        return ObjectReader(info, start, length, _read(descriptor, start, length))

    async def head(self, location: Location) -> ObjectInfo:
        """Raises StoredObjectNotFound, StorageUnavailable."""
        descriptor, info = await asyncio.to_thread(self._open, location)
        os.close(descriptor)
        return info

    async def put(self, *_: object, **__: object) -> ObjectInfo:
        raise _read_only()

    async def delete(self, locations: Sequence[Location]) -> None:
        raise _read_only()

    async def copy(self, source: Location, target: Location) -> ObjectInfo:
        raise _read_only()

    async def list(
        self, bucket: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> tuple[list[StoredObject], bool]:
        """Files in bytewise order of their path. A file that cannot be looked at raises StorageUnavailable."""
        return await asyncio.to_thread(self._walk.page, bucket, prefix, after, limit)

    def describe(self) -> StoreDescription:
        return StoreDescription(
            kind="local",
            scheme=SCHEME,
            namespace_example="local://NAME/",
            presign=False,
            presign_multipart=False,
            importable=True,
        )

    async def close(self) -> None:
        self._walk.clear()

    def _open(self, location: Location) -> tuple[int, ObjectInfo]:
        root = self._folders.get(location.bucket)
        segments = location.key.split("/")
        if root is None or any(segment in ("", ".", "..") for segment in segments):
            raise StoredObjectNotFound(f"{SCHEME}://{location.bucket}/{location.key}: not found")
        try:
            descriptor = _descend(root, segments)
        except OSError as error:
            if error.errno in _ABSENT:
                raise StoredObjectNotFound(f"{SCHEME}://{location.bucket}/{location.key}: not found") from error
            raise disk_error(error) from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise StoredObjectNotFound(f"{SCHEME}://{location.bucket}/{location.key}: not found")
        return descriptor, _info(location.key, status)


class _Walk:
    """Listings of directories by name."""

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._folders = folders
        self._names: dict[str, tuple[int, list[str]]] = {}

    def clear(self) -> None:
        self._names.clear()

    def page(self, bucket: str, prefix: str, after: str, limit: int) -> tuple[list[StoredObject], bool]:
        root = self._folders.get(bucket)
        if root is None:
            return [], False
        found: list[StoredObject] = []
        try:
            for key in self._keys(root, "", os.fsencode(prefix), os.fsencode(after)):
                if len(found) == limit:
                    return found, True
                status = os.lstat(f"{root}/{key}")
                if stat.S_ISREG(status.st_mode):
                    found.append(StoredObject(key, _info(key, status)))
        except FileNotFoundError:
            raise StorageUnavailable(f"a file below {bucket} went away while it was listed; try again") from None
        except OSError as error:
            raise disk_error(error) from error
        return found, False

    def _keys(self, root: str, folder: str, prefix: bytes, after: bytes) -> Iterator[str]:
        """Paths below `folder` ("" or ending in "/") that begin with `prefix` and follow `after`, in order.

        What is known to lie outside of both is not looked into.
        """
        names = self._sorted(f"{root}/{folder}")
        least = max(prefix, after)
        here = os.fsencode(folder)
        first = 0
        if least.startswith(here):
            part = least[len(here) :]
            first = max(0, bisect_left(names, part, key=os.fsencode) - 1)
        for name in names[first:]:
            path = here + os.fsencode(name)
            if path > prefix and not path.startswith(prefix):
                return
            if name.endswith("/"):
                if (path.startswith(prefix) or prefix.startswith(path)) and (path > after or after.startswith(path)):
                    yield from self._keys(root, folder + name, prefix, after)
            elif path.startswith(prefix) and path > after:
                yield folder + name

    def _sorted(self, folder: str) -> list[str]:
        """Names in a directory as they sort within keys, directories with a slash; links and devices are none."""
        changed = os.lstat(folder).st_mtime_ns
        known = self._names.get(folder)
        if known is not None and known[0] == changed:
            return known[1]
        with os.scandir(folder) as found:
            names = [
                f"{one.name}/" if one.is_dir(follow_symlinks=False) else one.name
                for one in found
                if one.is_dir(follow_symlinks=False) or one.is_file(follow_symlinks=False)
            ]
        names.sort(key=os.fsencode)
        if len(self._names) >= _REMEMBERED:
            self._names.clear()
        self._names[folder] = (changed, names)
        return names


def _descend(root: str, segments: Sequence[str]) -> int:
    """Open a file step by step from `root`, so that no link on the way is followed."""
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in segments[:-1]:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        return os.open(segments[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(
        size=status.st_size,
        etag=f"{status.st_mtime_ns:x}-{status.st_size:x}",
        modified=status.st_mtime,
        content_type=mimetypes.guess_type(key)[0] or "application/octet-stream",
    )


async def _read(descriptor: int, start: int, length: int) -> AsyncIterator[bytes]:
    try:
        end = start + length
        while start < end:
            chunk = await asyncio.to_thread(os.pread, descriptor, min(CHUNK, end - start), start)
            if not chunk:
                raise StorageUnavailable("the file became shorter while it was read")
            start += len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


def _read_only() -> Unsupported:
    return Unsupported("directories of the server's machine are read-only: operation not supported")

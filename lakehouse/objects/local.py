# SPDX-License-Identifier: Apache-2.0
"""The embedded object store: files in a folder, and an index.

Order of a PUT: bytes and header under a temporary name, fsync, rename, fsync of the folder, then the index row is
committed: only from here on the object exists, whole and durable. Order of a replacement or delete: index first, then
the old file is removed. Several processes may use one folder.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lakehouse.core.clock import system_clock
from lakehouse.core.errors import FailedPrecondition, StorageFull, StoredObjectNotFound, Unavailable
from lakehouse.objects.address import key_bytes
from lakehouse.objects.body import CHUNK, ChunkBody, Pieces, exactly
from lakehouse.objects.disk_errors import disk_error
from lakehouse.objects.local_file import FileWriter, Label, Written, path_of, remove, write_small
from lakehouse.objects.local_index import Index, Row
from lakehouse.objects.local_layout import Process, prepare
from lakehouse.objects.local_read import FileBody, read_cached, read_disk
from lakehouse.objects.local_sweep import restore_index, sweep
from lakehouse.objects.port import (
    ByteRange,
    Location,
    ObjectInfo,
    ObjectReader,
    PutMode,
    StoreDescription,
    StoredObject,
    resolve_range,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Coroutine, Sequence

    from lakehouse.core.clock import Clock

T = TypeVar("T")

THREADS = 8
SMALL = 256 * 1024
"""Objects up to this size are written in one visit to a thread."""
PIECE = 1024 * 1024
"""Bytes handed to the writing thread at once."""
_TRIES = 4


async def open_local_store(path: Path | str, *, clock: Clock = system_clock, bucket: str = "lake.local") -> LocalStore:
    """Open the embedded store in the folder `path`, making it if need be. `bucket` is what `/config` shows.

    Raises DataTooNew, BadConfiguration, StartupError.
    """
    root = Path(path)
    loop = asyncio.get_running_loop()
    root = await loop.run_in_executor(None, prepare, root)
    index = Index(root / "index.sqlite")
    try:
        if await index.prepare():
            await restore_index(root, index)
        store = LocalStore(root, index, Process(root), clock=clock, bucket=bucket)
    except BaseException:
        await loop.run_in_executor(None, index.close)
        raise
    store.start()
    return store


class LocalStore:
    """An ObjectStore in a folder. Made by `open_local_store`."""

    def __init__(self, root: Path, index: Index, process: Process, *, clock: Clock, bucket: str) -> None:
        self._root = root
        self._index = index
        self._process = process
        self._clock = clock
        self._bucket = bucket
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")
        self._tasks: set[asyncio.Task[object]] = set()

    def start(self) -> None:
        """Begin to remove, in the background, what dead processes left behind."""
        self._spawn(sweep(self._root, self._index, self._executor))

    async def get(self, location: Location, byte_range: ByteRange | None = None) -> ObjectReader:
        row, file = self._open(location)
        try:
            start, length = resolve_range(byte_range, row.info.size)
            if length > CHUNK:
                body = FileBody(file, row.start + start, length, self._executor)
                file = -1
                return ObjectReader(row.info, start, length, body)
            data = read_cached(file, row.start + start, length) if length else b""
            if data is None:
                data = await self._thread(read_disk, os.dup(file), row.start + start, length)
            return ObjectReader(row.info, start, length, ChunkBody(data))
        finally:
            if file >= 0:
                os.close(file)

    async def head(self, location: Location) -> ObjectInfo:
        return self._found(location).info

    async def put(
        self,
        location: Location,
        body: bytes | AsyncIterable[bytes],
        *,
        size: int | None = None,
        content_type: str = "",
        metadata: dict[str, str] | None = None,
        mode: PutMode = PutMode.REPLACE,
    ) -> ObjectInfo:
        label = Label(location.bucket, key_bytes(location.key), content_type, dict(metadata or {}))
        body = exactly(body, size)
        if isinstance(body, bytes):
            return await self._shielded(self._put_small(label, body, mode))
        pieces = Pieces(body, PIECE)
        first = await pieces.next()
        if len(first) <= SMALL and pieces.ended:
            return await self._shielded(self._put_small(label, first, mode))
        return await self._put_large(label, first, pieces, mode)

    async def delete(self, locations: Sequence[Location]) -> None:
        keys = [(location.bucket, key_bytes(location.key)) for location in locations]
        for at in range(0, len(keys), 1000):
            await self._shielded(self._delete(keys[at : at + 1000]))

    async def list(
        self, bucket: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> tuple[list[StoredObject], bool]:
        found = self._index.page(
            bucket,
            prefix=prefix.encode("utf-8", "surrogateescape"),
            after=after.encode("utf-8", "surrogateescape"),
            limit=limit + 1,
        )
        return found[:limit], len(found) > limit

    async def copy(self, source: Location, target: Location) -> ObjectInfo:
        key = key_bytes(target.key)
        row, file = self._open(source)
        try:
            label = Label(target.bucket, key, row.info.content_type, row.info.metadata)
            writer = FileWriter(self._root, self._process.new_name(), label)
            copying = self._copy_file(writer, os.dup(file), row)
        finally:
            os.close(file)
        return await self._shielded(self._publish(label, copying, PutMode.REPLACE))

    def describe(self) -> StoreDescription:
        return StoreDescription(
            kind="s3",
            scheme="s3",
            namespace_example=f"s3://{self._bucket}/my-repo/",
            presign=True,
            presign_multipart=True,
            importable=True,
        )

    async def close(self) -> None:
        """Wait for what was accepted, then let go of the files."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        with suppress(Unavailable):
            await self._index.empty_trash()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._index.close)
        await loop.run_in_executor(None, self._executor.shutdown)
        self._process.leave()

    # -- reading ---------------------------------------------------------------------------------------------------

    def _found(self, location: Location) -> Row:
        row = self._index.find(location.bucket, key_bytes(location.key))
        if row is None:
            raise StoredObjectNotFound(f"no object at {location.bucket}/{location.key}")
        return row

    def _open(self, location: Location) -> tuple[Row, int]:
        """The row of an object and its open file. A file that was replaced between the two is looked up again."""
        for _ in range(_TRIES):
            row = self._found(location)
            try:
                return row, os.open(path_of(self._root, row.file), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise disk_error(error) from error
        raise StoredObjectNotFound(f"the file of {location.bucket}/{location.key} is missing from the disk")

    # -- writing ---------------------------------------------------------------------------------------------------

    async def _put_small(self, label: Label, data: bytes, mode: PutMode) -> ObjectInfo:
        name = self._process.new_name()
        return await self._publish(label, self._thread(write_small, self._root, name, label, data, self._clock()), mode)

    async def _put_large(self, label: Label, first: bytes, pieces: Pieces, mode: PutMode) -> ObjectInfo:
        """One piece is written while the next one arrives; nothing is in place before the body has ended."""
        writer = FileWriter(self._root, self._process.new_name(), label)
        writing: asyncio.Future[None] = asyncio.ensure_future(self._thread(writer.write, first))
        try:
            while not pieces.ended:
                piece = await pieces.next()
                await asyncio.shield(writing)
                writing = asyncio.ensure_future(self._thread(writer.write, piece))
            await asyncio.shield(writing)
        except BaseException:
            self._spawn(self._discard(writer, writing))
            raise
        return await self._shielded(self._publish(label, self._finish(writer), mode))

    async def _finish(self, writer: FileWriter) -> Written:
        try:
            return await self._thread(writer.finish, self._clock())
        except BaseException:
            await self._thread(writer.discard)
            raise

    async def _copy_file(self, writer: FileWriter, source: int, row: Row) -> Written:
        try:
            await self._thread(writer.copy_from, source, row.start, row.info.size)
            return await self._thread(writer.finish, self._clock(), row.info.etag)
        except BaseException:
            await self._thread(writer.discard)
            raise
        finally:
            os.close(source)

    async def _discard(self, writer: FileWriter, writing: asyncio.Future[None]) -> None:
        await asyncio.wait([writing])
        if not writing.cancelled():
            writing.exception()
        await self._thread(writer.discard)

    async def _publish(self, label: Label, writing: Coroutine[None, None, Written], mode: PutMode) -> ObjectInfo:
        """Index a file once it is written; whatever is then without an object is removed."""
        written = await writing
        info = ObjectInfo(written.size, written.etag, written.modified, label.content_type, label.metadata)
        row = Row(written.name, written.offset, info)
        try:
            stands, left = await self._index.put(label.bucket, label.key, row, mode)
        except (FailedPrecondition, StorageFull):
            await self._thread(remove, self._root, [written.name])
            raise
        except BaseException:
            # Whether the row was committed is not known, so the file stays; the next start judges it.
            self._process.doubtful = True
            raise
        if left:
            self._remove_later(left)
        return stands.info

    async def _delete(self, keys: Sequence[tuple[str, bytes]]) -> None:
        left = await self._index.delete(keys)
        if left:
            self._remove_later(left)

    def _remove_later(self, names: Sequence[str]) -> None:
        self._spawn(self._remove(names))

    async def _remove(self, names: Sequence[str]) -> None:
        await self._thread(remove, self._root, names)
        self._index.removed(names)

    # -- tasks -----------------------------------------------------------------------------------------------------

    async def _thread(self, function: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *args)

    def _spawn(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _shielded(self, work: Coroutine[None, None, T]) -> T:
        """Run to the end even if the caller is cancelled: what has begun either happens or leaves nothing."""
        return await asyncio.shield(self._spawn(work))

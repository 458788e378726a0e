# SPDX-License-Identifier: Apache-2.0
"""The embedded object store: files in a folder, and an index.

Order of a PUT: the bytes are made durable, as a record of a segment or, when they are many, as a file of their own;
then the index row is committed: only from here on the object exists, whole and durable. Order of a replacement or
delete: index first, then the old file or record is removed. Several processes may use one folder.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.core.clock import system_clock
from lakehouse.core.errors import StorageUnavailable, StoredObjectNotFound, Unavailable
from lakehouse.objects.address import key_bytes
from lakehouse.objects.body import CHUNK, ChunkBody, exactly
from lakehouse.objects.disk_errors import disk_error
from lakehouse.objects.local_batch import Batches
from lakehouse.objects.local_check import check_files
from lakehouse.objects.local_compact import Compactor
from lakehouse.objects.local_file import Label, Written, path_of
from lakehouse.objects.local_index import Index, Row
from lakehouse.objects.local_layout import Process, prepare
from lakehouse.objects.local_read import FileBody, SpanBody, read_cached, read_on_thread
from lakehouse.objects.local_sweep import restore_index, sweep
from lakehouse.objects.local_uploads import LocalUploads
from lakehouse.objects.local_write import RECORD, Files, Span
from lakehouse.objects.manifest import MANIFEST, spans_of
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
    from collections.abc import AsyncIterable, Sequence

    from lakehouse.core.clock import Clock
    from lakehouse.objects.local_file import Written
    from lakehouse.objects.local_write import Commit
    from lakehouse.objects.port import Mode, Small


log = logging.getLogger(__name__)

EXPIRY_PAUSE = 3600.0
"""Seconds between two looks for uploads that were abandoned."""
COMPACTION_PAUSE = 600.0
"""Seconds between two looks for segments that are worth compacting."""
SEGMENT_OPEN = 24 * 3600.0
"""Seconds after which a segment is closed however small it is, so that what is deleted in it can be given back."""
_TRIES = 4


async def open_local_store(
    path: Path | str,
    *,
    clock: Clock = system_clock,
    bucket: str = "lake.local",
    abandoned: float | None = None,
) -> LocalStore:
    """Open the embedded store in the folder `path`, making it if need be. `bucket` is what `/config` shows; uploads in
    parts to which nothing was added for `abandoned` seconds are dropped (None: never).

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
    store.start(abandoned=abandoned)
    return store


class LocalStore:
    """An ObjectStore in a folder. Made by `open_local_store`."""

    def __init__(self, root: Path, index: Index, process: Process, *, clock: Clock, bucket: str) -> None:
        self._root = root
        self._index = index
        self._process = process
        self._bucket = bucket
        self._clock = clock
        self._keepers: list[asyncio.Task[None]] = []
        self._files = Files(root, index, process, clock=clock)
        self.uploads = LocalUploads(index, self._files, head=self.head, read=self.get, clock=clock)
        """Multipart uploads into this store."""
        self._compactor = Compactor(root, index, self._files, clock=clock)
        self._batches = Batches(root, index, self._files, clock=clock)

    def start(self, *, abandoned: float | None = None) -> None:
        """Begin to remove, in the background, what dead processes and uploads that were abandoned left behind."""
        self._files.spawn(sweep(self._root, self._index, self._files.executor))
        loop = asyncio.get_running_loop()
        self._keepers.append(loop.create_task(self._compact_for_ever()))
        if abandoned is not None:
            self._keepers.append(loop.create_task(self._expire_for_ever(abandoned)))

    async def compact(self) -> int:
        """Give back the room of deleted small objects, as far as it is worth it; how many segments were emptied.

        Raises StorageFull, StorageUnavailable.
        """
        self._files.segments.finish(begun_before=self._clock() - SEGMENT_OPEN)
        return await self._compactor.run()

    async def _compact_for_ever(self) -> None:
        while True:
            await asyncio.sleep(COMPACTION_PAUSE)
            try:
                await self.compact()
            except Unavailable:
                log.warning("segments could not be compacted; trying again later", exc_info=True)

    async def _expire_for_ever(self, abandoned: float) -> None:
        while True:
            try:
                await self.uploads.expire(self._clock() - abandoned)
            except Unavailable:
                log.warning("uploads that were abandoned could not be dropped; trying again later", exc_info=True)
            await asyncio.sleep(min(EXPIRY_PAUSE, abandoned))

    def bucket_names(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """Buckets that hold an object, in order of name."""
        return self._index.buckets(after=after, limit=limit)

    async def get(self, location: Location, byte_range: ByteRange | None = None) -> ObjectReader:
        row, file = self._open(location)
        if file < 0:
            return self._open_spans(location, byte_range)
        try:
            start, length = resolve_range(byte_range, row.info.size)
            if length > CHUNK:
                body = FileBody(file, row.start + start, length, self._files.executor)
                file = -1
                return ObjectReader(row.info, start, length, body)
            data = read_cached(file, row.start + start, length) if length else b""
            if data is None:
                data = await read_on_thread(self._files.executor, os.dup(file), row.start + start, length)
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
        mode: Mode = PutMode.REPLACE,
    ) -> ObjectInfo:
        label = Label(location.bucket, key_bytes(location.key), content_type, dict(metadata or {}))
        return await self._files.write(label, exactly(body, size), self._commit(label, mode))

    async def put_batch(self, objects: Sequence[Small], *, content_type: str = "") -> None:
        await self._batches.put(objects, content_type)

    async def delete(self, locations: Sequence[Location]) -> None:
        keys = [(location.bucket, key_bytes(location.key)) for location in locations]
        for at in range(0, len(keys), 1000):
            await self._files.shielded(self._delete(keys[at : at + 1000]))

    async def check(self, bucket: str, keys: Sequence[str]) -> list[tuple[str, str]]:
        """As `CheckedStore`."""
        return await self._files.thread(check_files, self._root, self._index, bucket, keys)

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
        label_key = key_bytes(target.key)
        row, file = self._open(source)
        label = Label(target.bucket, label_key, row.info.content_type, row.info.metadata)
        if file < 0:
            return await self._share(row, label)
        commit = self._commit(label, PutMode.REPLACE)
        if row.info.size <= RECORD:
            data = await read_on_thread(self._files.executor, file, row.start, row.info.size)
            return await self._files.record(label, data, commit, etag=row.info.etag)
        span = Span(file, row.start, row.info.size)
        return await self._files.join(label, [span], row.info.etag, commit)

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
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers)
        await self._files.settle()
        self._files.segments.finish()
        await self._files.settle()
        with suppress(Unavailable):
            await self._index.empty_trash()
        loop = asyncio.get_running_loop()
        # Threads before the index: what was cancelled may still be reading there.
        await loop.run_in_executor(None, self._files.executor.shutdown)
        await loop.run_in_executor(None, self._files.segments.shutdown)
        await loop.run_in_executor(None, self._index.close)
        self._process.leave()

    # -- reading ---------------------------------------------------------------------------------------------------

    def _found(self, location: Location) -> Row:
        row = self._index.find(location.bucket, key_bytes(location.key))
        if row is None:
            raise StoredObjectNotFound(f"no object at {location.bucket}/{location.key}")
        return row

    def _open(self, location: Location) -> tuple[Row, int]:
        """The row of an object and its open file, -1 for an object of parts.

        A file that was replaced between the two is looked up again.
        """
        for _ in range(_TRIES):
            row = self._found(location)
            if row.start == MANIFEST:
                return row, -1
            try:
                return row, os.open(path_of(self._root, row.file), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise disk_error(error) from error
        raise StoredObjectNotFound(f"the file of {location.bucket}/{location.key} is missing from the disk")

    def _open_spans(self, location: Location, byte_range: ByteRange | None) -> ObjectReader:
        """As `get`, of an object of parts."""
        for _ in range(_TRIES):
            row = self._found(location)
            start, length = resolve_range(byte_range, row.info.size)
            if not length:
                return ObjectReader(row.info, start, 0, ChunkBody(b""))
            try:
                spans = spans_of(self._index, row.file, start=start, length=length)
                return ObjectReader(row.info, start, length, SpanBody(self._root, spans, self._files.executor))
            except (FileNotFoundError, StorageUnavailable):
                continue  # it was replaced between the two
        raise StoredObjectNotFound(f"the parts of {location.bucket}/{location.key} are missing from the disk")

    # -- writing ---------------------------------------------------------------------------------------------------

    def _commit(self, label: Label, mode: Mode) -> Commit[ObjectInfo]:
        """What makes a written file the object of its key."""

        async def commit(written: Written) -> tuple[ObjectInfo, list[str]]:
            info = ObjectInfo(written.size, written.etag, written.modified, label.content_type, label.metadata)
            row = Row(written.name, written.offset, info)
            stands, left = await self._index.put(label.bucket, label.key, row, mode)
            return stands.info, left

        return commit

    async def _share(self, row: Row, label: Label) -> ObjectInfo:
        """Make a copy of an object of parts, which has the same files."""
        spans = spans_of(self._index, row.file)

        async def commit(written: Written) -> tuple[ObjectInfo, list[str]]:
            info = ObjectInfo(written.size, written.etag, written.modified, label.content_type, label.metadata)
            made = Row(written.name, written.offset, info)
            stands, left = await self._index.put_manifest(label.bucket, label.key, made, spans, source=row.file)
            return stands.info, left

        return await self._files.manifest(label, spans, row.info.etag, commit)

    async def _delete(self, keys: Sequence[tuple[str, bytes]]) -> None:
        self._files.remove_later(await self._index.delete(keys))
